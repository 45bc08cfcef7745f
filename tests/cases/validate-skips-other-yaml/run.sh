oms validate . 2>&1
oms validate compose.yaml | head -1
mkdir one
cp compose.yaml note.yaml one
oms validate one 2>&1
mkdir none
cp compose.yaml none
oms validate none 2>&1
echo "exit $?"
