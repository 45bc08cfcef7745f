# Messages about dates, timestamps, formats and boolean schemas are correct.
verdicts() { rm -rf st; oms run "$1" --state-dir st --input "$2" 2>&1 | grep -E "error\[|read," | sort -V; }
for file in o.json o2.json o3.json o4.json o5.json o6.json; do verdicts p.yaml $file; done
for file in p2.yaml p3.yaml; do oms validate $file; done
verdicts p3.yaml o7.json
