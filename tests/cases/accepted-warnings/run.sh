# A warning in a schema is accepted in the schema file, or where the pipeline names a file that has no comments; one in a YAML block at its key.
oms validate p.yaml --deny warnings
sed -i 's/order.schema.json.*/in-yaml.schema.yaml/' p.yaml
oms validate p.yaml
sed -i 's/in-yaml.schema.yaml/order.schema.json # oms: allow OMS0416/' p.yaml
oms validate p.yaml 2>&1 | grep warning
