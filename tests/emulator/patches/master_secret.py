"""The master user's secret of an AWS::RDS::DBCluster with ManageMasterUserPassword.

Stock: no secret is created, and `!GetAtt Cluster.MasterUserSecret.SecretArn` fails. AWS: RDS creates a secret `rds!cluster-…` with
user name and password in Secrets Manager.
"""

import json
import uuid


def apply(_options) -> None:
    from ministack.services import rds, secretsmanager
    from ministack.services.cloudformation import provisioners

    create_stock, attributes_stock = provisioners._rds_db_cluster_create, provisioners._rds_db_cluster_attrs

    def attributes(cluster: dict) -> dict:
        secret = cluster.get("MasterUserSecret")
        return {**attributes_stock(cluster), **({"MasterUserSecret.SecretArn": secret["SecretArn"]} if secret else {})}

    def create(logical_id, properties, stack):
        name, _ = create_stock(logical_id, properties, stack)
        cluster = rds._clusters[name]
        if str(properties.get("ManageMasterUserPassword")).lower() == "true":
            arn = secretsmanager.create_secret_in_process(
                f"rds!cluster-{uuid.uuid4()}",
                json.dumps({"username": cluster["MasterUsername"], "password": uuid.uuid4().hex}),
                description=f"Secret managed by RDS for DB cluster {name}")
            cluster["MasterUserSecret"] = {"SecretArn": arn, "SecretStatus": "active", "KmsKeyId": "aws/secretsmanager"}
        return name, attributes(cluster)

    provisioners._rds_db_cluster_attrs = attributes
    provisioners._rds_db_cluster_create = create
    provisioners._RESOURCE_HANDLERS["AWS::RDS::DBCluster"]["create"] = create
