# A date in a mail is in the pipeline's time zone, or in the zone of its tag.
subject() { oms render-email preview p.yaml --part subject; }
subject
printf 'Order of {{date order.placed_at zone="America/Chicago"}}' > mail/m/subject.hbs
subject
for setting in 'timezone="Asia/Tokyo"' 'zone="Asia/Tokio"' 'zone=order.id'; do
  printf 'Order of {{date order.placed_at %s}}' "$setting" > mail/m/subject.hbs
  oms validate p.yaml
done
exit 0
