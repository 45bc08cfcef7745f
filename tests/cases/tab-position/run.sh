oms validate m01c-tab.yaml
for text in "a:\n\tb: 1\n" "a:\n  b: x\n\n  \tc: 2\n" "a:\n  - x\n\t- y\n" "a:\n\t- x\n" "a:\n  b: |\n    x\n\ty: 1\n"; do
  printf "$text" > p.yaml
  oms validate p.yaml | sed -n 1,2p
done
