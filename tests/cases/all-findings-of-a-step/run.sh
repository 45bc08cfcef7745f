# An invalid step name does not hide the other faults of its step.
oms validate p.yaml; echo "exit $?"
