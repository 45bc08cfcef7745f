# Prints the state of a run, and the cause and message of each failed step.
import json, sys

run = json.load(sys.stdin)
print(run["state"])
for step in run["steps"]:
    for event in step["events"]:
        if event["state"] == "failed":
            print(f"{step['id']}: {event['cause']}: {event['message']}")
