# A timestamp's day is in the time zone of the pipeline and does not depend on the zone of the machine.
export TZ=Pacific/Kiritimati
for zone in UTC Europe/Berlin America/Chicago; do
  echo "# $zone"
  sed "s|TIME_ZONE|$zone|" zone.yaml > p.yaml
  oms validate p.yaml
  oms run p.yaml --state-dir "state-${zone##*/}" --input in.ndjson > /dev/null
  oms db export p.yaml --state-dir "state-${zone##*/}" bill
  oms mail show p.yaml --state-dir "state-${zone##*/}" chicago | grep Subject
done
