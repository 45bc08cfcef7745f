# A name of the wrong form does not hide the other faults of its step.
oms validate p.yaml; echo "exit $?"
