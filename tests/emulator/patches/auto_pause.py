"""`SecondsUntilAutoPause` of a cluster of Aurora Serverless v2.

Stock: the property is stored, and DescribeDBClusters does not show it. AWS: it is part of ServerlessV2ScalingConfiguration if the
minimum capacity is 0. The cluster does not pause here.
"""


def apply(_options) -> None:
    from ministack.services import rds

    stock = rds._serverlessv2_xml

    def scaling(cluster: dict) -> str:
        seconds = (cluster.get("ServerlessV2ScalingConfiguration") or {}).get("SecondsUntilAutoPause")
        end = "</ServerlessV2ScalingConfiguration>"
        shown = "" if seconds is None else f"<SecondsUntilAutoPause>{int(seconds)}</SecondsUntilAutoPause>"
        return stock(cluster).replace(end, shown + end)

    rds._serverlessv2_xml = scaling
