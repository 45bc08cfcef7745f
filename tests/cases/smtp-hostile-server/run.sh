# A hostile mail server costs little memory and time, and the runs are parked or held.
for n in $(seq 4); do echo "{\"id\":\"A$n\",\"email\":\"a$n@example.com\"}"; done > in.ndjson
for mode in "an endless line" "an endless greeting" "garbage" "one byte a second" "a long answer to EHLO" "another code in each line" "a code alone" "no 354" "an unknown code" "nothing wrong"; do
  python3 hostile.py "$mode"
done
