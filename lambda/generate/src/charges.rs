//! Which resource types of the template AWS charges for, and under which service of the cost table.
//! A test fails for a type without an entry, so that the table cannot omit a new resource.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rendered::Rendered;

/// The charge for a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// The lines of this service contain the cost.
    Billed(&'static str),
    /// There is no charge, for this reason.
    Free(&'static str),
}

use Charge::{Billed, Free};

const SETTING: &str = "AWS does not charge for them";
const NETWORK: &str =
    "a network without NAT gateways, endpoints and public addresses has no charge";
const MAIL: &str = "AWS charges only for e-mails, and for the metrics in CloudWatch";

/// The charges, sorted by type.
const CHARGES: &[(&str, Charge)] = &[
    ("AWS::ApiGateway::ApiKey", Free(SETTING)),
    ("AWS::ApiGateway::UsagePlan", Free(SETTING)),
    ("AWS::ApiGateway::UsagePlanKey", Free(SETTING)),
    ("AWS::Budgets::Budget", Free("a budget without actions has no charge")),
    ("AWS::CloudWatch::Alarm", Billed("CloudWatch")),
    ("AWS::CloudWatch::Dashboard", Billed("CloudWatch")),
    ("AWS::EC2::SecurityGroup", Free(NETWORK)),
    ("AWS::EC2::Subnet", Free(NETWORK)),
    ("AWS::EC2::VPC", Free(NETWORK)),
    ("AWS::Events::Rule", Free("scheduled rules of EventBridge have no charge")),
    ("AWS::IAM::Role", Free(SETTING)),
    ("AWS::Lambda::Alias", Free(SETTING)),
    ("AWS::Lambda::EventSourceMapping", Billed("SQS")),
    ("AWS::Lambda::Permission", Free(SETTING)),
    ("AWS::Lambda::Version", Free("Lambda does not charge for stored versions")),
    ("AWS::Logs::LogGroup", Billed("CloudWatch")),
    ("AWS::RDS::DBCluster", Billed("Aurora")),
    ("AWS::RDS::DBInstance", Billed("Aurora")),
    ("AWS::RDS::DBSubnetGroup", Free(SETTING)),
    ("AWS::S3::Bucket", Billed("S3")),
    ("AWS::S3::BucketPolicy", Free(SETTING)),
    ("AWS::SES::ConfigurationSet", Free(MAIL)),
    ("AWS::SES::ConfigurationSetEventDestination", Billed("CloudWatch")),
    ("AWS::SES::EmailIdentity", Free(MAIL)),
    ("AWS::SNS::Subscription", Free("deliveries to SQS have no charge")),
    ("AWS::SNS::Topic", Billed("SNS")),
    ("AWS::SNS::TopicPolicy", Free(SETTING)),
    ("AWS::SQS::Queue", Billed("SQS")),
    ("AWS::SQS::QueuePolicy", Free(SETTING)),
    ("AWS::SecretsManager::Secret", Billed("Secrets Manager")),
    ("AWS::Serverless::Api", Billed("API Gateway")),
    ("AWS::Serverless::Function", Billed("Lambda")),
];

/// Resource types that are free for the same reason.
#[derive(Debug, Serialize)]
pub(crate) struct FreeTypes<'t> {
    types: Vec<&'t str>,
    reason: &'static str,
}

/// Returns the charge for a resource type; `None` if the type is unknown.
pub(crate) fn charge(kind: &str) -> Option<Charge> {
    CHARGES.iter().find(|(known, _)| *known == kind).map(|(_, charge)| *charge)
}

/// Returns the resource types of a stack that are free.
pub(crate) fn free_types<'t>(template: &'t Rendered<'_>) -> Vec<FreeTypes<'t>> {
    let mut reasons: BTreeMap<&'static str, Vec<&'t str>> = BTreeMap::new();
    for kind in template.types() {
        if let Some(Free(reason)) = charge(kind) {
            reasons.entry(reason).or_default().push(kind);
        }
    }
    let free = reasons.into_iter().map(|(reason, types)| FreeTypes { types, reason });
    let mut free: Vec<FreeTypes<'t>> = free.collect();
    free.sort_by(|one, other| one.types.cmp(&other.types));
    free
}

/// Returns the services of all types that are not free.
#[cfg(test)]
pub(crate) fn billed_services() -> impl Iterator<Item = &'static str> {
    CHARGES.iter().filter_map(|(_, charge)| match charge {
        Billed(service) => Some(*service),
        Free(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_resource_type_of_the_template_has_a_charge_and_no_charge_is_left_over() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/lambda/template");
        let mut types = BTreeSet::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let found = text.lines().filter_map(|line| line.strip_prefix("    Type: AWS::"));
            types.extend(found.map(|kind| format!("AWS::{kind}")));
        }
        let known: BTreeSet<String> = CHARGES.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        assert_eq!(types, known, "`CHARGES` must have exactly the types of the template");
    }
}
