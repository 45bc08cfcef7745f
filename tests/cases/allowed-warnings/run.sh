# A schema warning is accepted in the schema file, where the pipeline names a file without comments, or at the key of a YAML block.
oms validate p.yaml --deny warnings
sed -i 's/order.schema.json.*/in-yaml.schema.yaml/' p.yaml
oms validate p.yaml
sed -i 's/in-yaml.schema.yaml/order.schema.json # oms: allow OMS0416/' p.yaml
oms validate p.yaml 2>&1 | grep warning
