# Another user reads a state. As root, the test changes the user; otherwise it removes permissions.
place=$(mktemp -d)
trap 'chmod -R u+rwX "$place"; rm -rf "$place"' EXIT
oms=$(readlink -f "$(command -v oms)")
cp p.yaml a.json "$place"
cd "$place"
"$oms" run p.yaml --state-dir st --input a.json > /dev/null 2>&1
other() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid=65534 --regid=65534 --clear-groups "$oms" "$@" 2>&1
  else
    "$oms" "$@" 2>&1
  fi
}
chmod 755 "$place"
chmod 000 st
for command in 'runs list' 'runs show p.yaml A1' 'mail list' 'objects list' 'db export p.yaml bills' 'keys list' 'db backup p.yaml copy.db'; do
  case $command in *p.yaml*) ;; *) command="$command p.yaml" ;; esac
  echo "== $command"
  other $command --state-dir st | sed "s#$place#.#g"
done
chmod -R a+rX,a-w st
echo "== read-only"
other runs list p.yaml --state-dir st 2> /dev/null | grep -v '^total' | cut -d' ' -f1
other runs list p.yaml --state-dir nothing
exit 0
