# Files outside the project are never read or quoted in findings, whatever refers to them. Pipes do not block.
mkdir -p project/.git project/flows project/schemas elsewhere
echo 'secret: yes, a schema' > elsewhere/s.yaml
cp f_env_schema.yaml f_passwd_schema.yaml project/flows/
cd project
for file in f_env_schema f_passwd_schema; do oms validate flows/$file.yaml 2>&1; echo "exit $?"; done
sed 's#/proc/self/environ#../../elsewhere/s.yaml#' flows/f_env_schema.yaml > flows/outside.yaml
sed 's#/proc/self/environ#link.yaml#' flows/f_env_schema.yaml > flows/linked.yaml
ln -s ../../elsewhere/s.yaml flows/link.yaml
ln -s ../../elsewhere/s.yaml flows/pipeline.yaml
for file in outside linked pipeline; do oms validate flows/$file.yaml 2>&1 | head -3; echo "exit ${PIPESTATUS[0]}"; done
echo "== allowed"
oms validate --allow-files ../elsewhere flows/outside.yaml | head -4
echo "== of the project"
printf 'type: object\nrequired: [id]\nproperties: { id: { type: string } }\n' > schemas/s.yaml
sed 's#/proc/self/environ#../schemas/s.yaml#' flows/f_env_schema.yaml > flows/good.yaml
oms validate flows/good.yaml; echo "exit $?"
echo "== a pipe"
mkfifo schemas/pipe
sed 's#/proc/self/environ#../schemas/pipe#' flows/f_env_schema.yaml > flows/piped.yaml
mkfifo flows/fifo.yaml
for file in piped fifo; do timeout 20 oms validate flows/$file.yaml 2>&1 | head -3; echo "exit ${PIPESTATUS[0]}"; done
timeout 20 oms runs list flows/fifo.yaml 2>&1; echo "exit $?"
