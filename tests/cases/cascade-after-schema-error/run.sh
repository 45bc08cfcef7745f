# Only what is wrong is reported: the schema's own errors, and errors in expressions over the parts that are right.
oms validate shopify.yaml; echo "exit $?"
