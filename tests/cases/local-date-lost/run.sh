# The day of an instant is that of the time zone which the pipeline names, whatever the machine's own zone is.
export TZ=Pacific/Kiritimati
for zone in UTC Europe/Berlin America/Chicago; do
  echo "# $zone"
  sed "s|TIME_ZONE|$zone|" zone.yaml > p.yaml
  oms validate p.yaml
  oms run p.yaml --state-dir "state-${zone##*/}" --input in.ndjson > /dev/null
  oms db export p.yaml --state-dir "state-${zone##*/}" bill
  oms mail show p.yaml --state-dir "state-${zone##*/}" chicago | grep Subject
done
