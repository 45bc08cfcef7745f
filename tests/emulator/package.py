"""Packages a template as `sam package` does: zips each function's CodeUri, uploads it, and replaces it with bucket and key.

    python package.py TEMPLATE --endpoint URL --bucket NAME > packaged.yaml

As a function, `package(path, s3, bucket)` returns the text of the packaged template. The bucket is created if it does not exist.
"""

import argparse
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import yaml

EPOCH = (1980, 1, 1, 0, 0, 0)


class Tagged:
    """A value with a tag such as !Ref, which is kept unchanged."""

    def __init__(self, tag: str, node: yaml.Node):
        self.tag, self.node = tag, node


class Loader(yaml.SafeLoader):
    pass


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


Loader.add_multi_constructor("!", lambda loader, suffix, node: Tagged("!" + suffix, node))
Dumper.add_representer(Tagged, lambda dumper, value: value.node)


def zipped(folder: Path) -> bytes:
    """Zips the files of a folder reproducibly, with an executable `bootstrap`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), date_time=EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if file.name == "bootstrap" else 0o644) << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def package(template: Path, s3, bucket: str, code: dict[str, Path] | None = None) -> str:
    """Returns the template with every local CodeUri uploaded to the bucket. `code` overrides the folder of a logical id."""
    document = yaml.load(template.read_text(encoding="utf-8"), Loader)
    if bucket not in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket)
    for name, resource in document["Resources"].items():
        uri = resource.get("Properties", {}).get("CodeUri") if resource["Type"] == "AWS::Serverless::Function" else None
        if not isinstance(uri, str) or uri.startswith("s3://"):
            continue
        content = zipped((code or {}).get(name, template.parent / uri))
        key = f"{hashlib.sha256(content).hexdigest()[:32]}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, width=10_000)


def main() -> None:
    import boto3

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=Path)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--bucket", default="oms-code")
    args = parser.parse_args()
    s3 = boto3.client("s3", endpoint_url=args.endpoint, region_name="us-east-1",
                      aws_access_key_id="test", aws_secret_access_key="test")
    sys.stdout.write(package(args.template, s3, args.bucket))


if __name__ == "__main__":
    main()
