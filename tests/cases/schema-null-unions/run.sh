# A nullable value has a type in every notation.
oms validate p.yaml
oms validate siblings.yaml
