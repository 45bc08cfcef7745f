//! The dashboard of the orders ("Dashboard body structure and syntax" in the documentation of
//! CloudWatch).

use serde_json::{Value as Json, json};

/// Width of the grid, and size of a widget.
const COLUMNS: usize = 24;
const WIDTH: usize = 12;
const HEIGHT: usize = 6;
/// The value of the dimension `stack`.
const STACK: &str = "${AWS::StackName}";

/// A handler that processes orders: its name and its logical id.
pub(crate) struct Handler<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: &'a str,
}

/// Returns the body of the dashboard as JSON, with placeholders of CloudFormation.
pub(crate) fn body(pipeline: &str, handlers: &[Handler<'_>], database: bool, mail: bool) -> String {
    let mut widgets = vec![
        widget("Accepted requests", "Sum", accepted()),
        widget("Completed orders", "Sum", own(pipeline, handlers, "Completed")),
        widget("Parked orders", "Sum", own(pipeline, handlers, "Parked")),
        widget("Retries", "Sum", own(pipeline, handlers, "Retried")),
        widget("Latency in milliseconds, median", "p50", own(pipeline, handlers, "Latency")),
        widget(
            "Latency in milliseconds, 99th percentile",
            "p99",
            own(pipeline, handlers, "Latency"),
        ),
        widget(
            "Age of the oldest order in seconds",
            "Maximum",
            queues(handlers, "Queue", "ApproximateAgeOfOldestMessage"),
        ),
        widget(
            "Orders in the dead letters",
            "Maximum",
            queues(handlers, "DeadLetters", "ApproximateNumberOfMessagesVisible"),
        ),
    ];
    if database {
        let capacity = json!([[
            "AWS/RDS",
            "ServerlessDatabaseCapacity",
            "DBClusterIdentifier",
            "${DatabaseCluster}"
        ]]);
        widgets.push(widget("Capacity of the database in ACUs", "Maximum", capacity));
        let gap = json!([["oms", "ReconcileGap", "pipeline", pipeline, "stack", STACK]]);
        widgets.push(widget("Resent orders", "Sum", gap));
    }
    if mail {
        let metric = |name: &str| {
            json!(["AWS/SES", name, "ses:configuration-set", "${MailConfigurationSet}"])
        };
        let sent =
            json!([metric("Send"), metric("Delivery"), metric("Bounce"), metric("Complaint")]);
        widgets.push(widget("E-mails", "Sum", sent));
    }
    let placed = widgets.into_iter().enumerate().map(|(at, mut widget)| {
        let per_row = COLUMNS / WIDTH;
        widget["x"] = json!(at % per_row * WIDTH);
        widget["y"] = json!(at / per_row * HEIGHT);
        widget
    });
    json!({ "widgets": placed.collect::<Vec<_>>() }).to_string()
}

fn widget(title: &str, statistic: &str, metrics: Json) -> Json {
    json!({
        "type": "metric",
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": title,
            "metrics": metrics,
            "stat": statistic,
            "period": 300,
            "region": "${AWS::Region}",
        },
    })
}

/// Returns the requests that were answered neither with 4xx nor with 5xx.
fn accepted() -> Json {
    let metric = |name: &str, id: &str| {
        json!([
            "AWS/ApiGateway", name, "ApiName", "${AWS::StackName}-intake", "Stage", "live",
            { "id": id, "visible": false }
        ])
    };
    json!([
        metric("Count", "requests"),
        metric("4XXError", "rejected"),
        metric("5XXError", "failed"),
        [{ "expression": "requests - rejected - failed", "label": "accepted", "id": "accepted" }],
    ])
}

/// Returns a metric that the handlers write to their logs.
fn own(pipeline: &str, handlers: &[Handler<'_>], metric: &str) -> Json {
    let of = |handler: &Handler<'_>| {
        json!([
            "oms", metric, "pipeline", pipeline, "handler", handler.name, "stack", STACK,
            { "label": handler.name }
        ])
    };
    handlers.iter().map(of).collect()
}

/// Returns a metric of the queues of the handlers.
fn queues(handlers: &[Handler<'_>], kind: &str, metric: &str) -> Json {
    let of = |handler: &Handler<'_>| {
        let queue = format!("${{{}{kind}.QueueName}}", handler.id);
        json!(["AWS/SQS", metric, "QueueName", queue, { "label": handler.name }])
    };
    handlers.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widgets_fill_the_grid_and_name_every_handler() {
        let handlers = [Handler { name: "bill", id: "Bill" }, Handler { name: "mail", id: "Mail" }];
        let body: Json = serde_json::from_str(&body("shop", &handlers, true, true)).unwrap();
        let widgets = body["widgets"].as_array().unwrap();
        let places: std::collections::BTreeSet<(u64, u64)> = widgets
            .iter()
            .map(|widget| (widget["x"].as_u64().unwrap(), widget["y"].as_u64().unwrap()))
            .collect();
        assert_eq!((places.len(), widgets.len()), (11, 11));
        assert_eq!(
            widgets[1]["properties"]["metrics"][1],
            json!([
                "oms", "Completed", "pipeline", "shop", "handler", "mail", "stack", STACK,
                { "label": "mail" }
            ])
        );
        assert_eq!(widgets[7]["properties"]["metrics"][0][3], "${BillDeadLetters.QueueName}");
    }
}
