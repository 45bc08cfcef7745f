# Only the owner has access to a state directory, a backup and an export, for every umask and every first command.
pipeline=$ROOT/pipelines/order-management.yaml
modes() { (cd $1 && find . -printf '%m %y\n' | sort -u); }
for umask in 000 022 077 277; do
  umask $umask
  echo "--- umask $umask"
  oms keys add $pipeline --state-dir a/b shop > /dev/null 2>&1 || echo "keys failed"
  modes a
  oms run $pipeline --state-dir a/b --samples --export out > /dev/null 2>&1 || echo "run failed"
  oms db backup $pipeline --state-dir a/b copy.db 2> /dev/null || echo "backup failed"
  oms mail export $pipeline --state-dir a/b mails 2> /dev/null || echo "mail failed"
  oms objects export $pipeline --state-dir a/b objects 2> /dev/null || echo "objects failed"
  oms serve $pipeline --state-dir a/b --listen 127.0.0.1:0 > log 2>&1 & server=$!
  until [ -S a/b/control.sock ] || ! kill -0 $server; do python3 -c 'import time; time.sleep(0.05)'; done
  modes a; modes out; modes mails; modes objects; stat -c %a copy.db
  kill $server; wait $server; echo "exit $?"
  umask 022
  rm -r a out mails objects copy.db log
done
echo "--- a state that an earlier version made"
oms run $pipeline --state-dir old --samples > /dev/null 2>&1
chmod 755 old; chmod 644 old/*
oms run $pipeline --state-dir old > /dev/null 2>&1
modes old
echo "--- a directory with other files"
mkdir -m 755 other; touch other/notes; oms run $pipeline --state-dir other > /dev/null 2>&1
stat -c '%a %n' other other/oms.db other/oms.lock other/notes
