# Only real faults are reported: those of the schema, and those of expressions over its valid parts.
oms validate shopify.yaml; echo "exit $?"
