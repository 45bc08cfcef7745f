# A value or null has a type, however it is written.
oms validate p.yaml
oms validate siblings.yaml
