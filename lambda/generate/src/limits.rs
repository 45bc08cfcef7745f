//! Limits of AWS that a template could exceed only at its deployment: the environment variables of
//! a function, and the number of resources.

use std::collections::BTreeMap;

use crate::GenerateError;

/// Maximum size of the environment variables of a function in bytes ("Lambda quotas"). Lambda
/// measures them as a JSON object, in which quotation marks are escaped.
const ENVIRONMENT_MAX: usize = 4_096;
/// Maximum number of resources of a stack ("CloudFormation quotas").
const RESOURCES_MAX: usize = 500;
/// The resources besides the API itself that SAM creates for an API: a deployment and a stage.
const RESOURCES_OF_API: usize = 2;

/// Lengths of the longest region, such as `ap-southeast-1`, and the shortest, such as `us-east-1`.
const REGION_MAX: usize = 14;
const REGION_MIN: usize = 9;
const ACCOUNT: usize = 12;
/// Maximum length of the name of an S3 bucket.
const BUCKET_MAX: usize = 63;
/// Maximum length of the name of an SQS queue.
const QUEUE_MAX: usize = 80;
/// Maximum length of the identifier of a database cluster.
const CLUSTER_MAX: usize = 63;
/// Length of a hyphen and the random text in a name that CloudFormation generates.
const RANDOM: usize = 14;
/// Assumed length of a value that is not known here.
const UNKNOWN: usize = 256;

/// A function of a template.
#[derive(Debug, Default, PartialEq, Eq)]
struct Function<'t> {
    handler: &'t str,
    /// The variables with their values in the syntax of CloudFormation.
    variables: Vec<(&'t str, &'t str)>,
}

/// Checks a rendered template. `bucket` is the name of the bucket for orders in the pipeline.
///
/// # Errors
/// Returns an error if AWS could refuse the template because of its size.
pub(crate) fn check(template: &str, bucket: &str) -> Result<(), GenerateError> {
    let (types, functions) = read(template);
    let count = types.len() + RESOURCES_OF_API;
    if count > RESOURCES_MAX {
        return Err(GenerateError::Resources { count, max: RESOURCES_MAX });
    }
    // The stack's name is part of the name of the bucket.
    let stack = BUCKET_MAX.saturating_sub(REGION_MIN + ACCOUNT + bucket.len() + 3);
    for Function { handler, variables } in functions {
        let sizes = variables.iter().map(|(name, value)| {
            // Quotation marks, a colon and a comma.
            name.len() + length(value, |placeholder| longest(placeholder, stack, &types)) + 6
        });
        let size = sizes.sum::<usize>() + 2;
        if size > ENVIRONMENT_MAX {
            let handler = handler.to_owned();
            return Err(GenerateError::Environment { handler, size, max: ENVIRONMENT_MAX });
        }
    }
    Ok(())
}

/// Reads the types of the resources and the functions. The layout of the template is that of the
/// files in `templates/lambda/template`.
fn read(template: &str) -> (BTreeMap<&str, &str>, Vec<Function<'_>>) {
    let (mut types, mut functions) = (BTreeMap::new(), Vec::new());
    let (mut id, mut in_variables) = ("", false);
    let lines = template.lines().skip_while(|line| *line != "Resources:");
    for line in lines.take_while(|line| *line != "Outputs:") {
        let text = line.trim_start();
        let Some((key, value)) = text.split_once(':') else { continue };
        let value = value.trim();
        match line.len() - text.len() {
            2 => id = key,
            4 if key == "Type" => {
                let kind = value.split(' ').next().unwrap_or_default();
                types.insert(id, kind);
                if kind == "AWS::Serverless::Function" {
                    functions.push(Function::default());
                }
            }
            6 if key == "CodeUri" => {
                if let Some(function) = functions.last_mut() {
                    let name = value.trim_start_matches("handlers/");
                    function.handler = name.trim_end_matches('/');
                }
            }
            8 => in_variables = key == "Variables",
            10 if in_variables => {
                if let Some(function) = functions.last_mut() {
                    function.variables.push((key, value));
                }
            }
            _ => {}
        }
        in_variables &= line.len() - text.len() >= 8;
    }
    (types, functions)
}

/// Returns the length of a value in JSON, with the given lengths of its placeholders.
fn length(value: &str, placeholder: impl Fn(&str) -> usize) -> usize {
    if let Some(name) = value.strip_prefix("!Ref ") {
        return placeholder(name);
    }
    let quoted = value.strip_prefix("!Sub ").unwrap_or(value);
    let quote = if quoted.starts_with('\'') { '\'' } else { '"' };
    let inner = quoted.strip_prefix(quote).and_then(|text| text.split(quote).next());
    let mut rest = inner.unwrap_or(quoted);
    let mut length = 0;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        length += escaped(before) + placeholder(name);
        rest = behind;
    }
    length + escaped(rest)
}

/// Returns the length of a text in a string of JSON.
fn escaped(text: &str) -> usize {
    text.len() + text.matches(['"', '\\']).count()
}

/// Returns the maximum length of the value of a placeholder. `stack` is that of the stack's name.
fn longest(placeholder: &str, stack: usize, types: &BTreeMap<&str, &str>) -> usize {
    // `arn:aws-us-gov:`, the service, the region, the account, and three colons.
    let arn = |service: &str| 15 + service.len() + REGION_MAX + ACCOUNT + 3;
    let (id, attribute) = placeholder.split_once('.').unwrap_or((placeholder, ""));
    let generated = stack + 1 + id.len() + RANDOM;
    match (types.get(id).copied().unwrap_or(id), attribute) {
        ("AWS::StackName", "") => stack,
        ("AWS::SQS::Queue", "QueueName") => generated.min(QUEUE_MAX),
        ("AWS::SQS::Queue", "") => {
            let server = "https://sqs.".len() + REGION_MAX + ".amazonaws.com.cn/".len();
            server + ACCOUNT + 1 + generated.min(QUEUE_MAX)
        }
        ("AWS::SecretsManager::Secret", "") => {
            arn("secretsmanager") + "secret:-abcdef".len() + generated
        }
        ("AWS::RDS::DBCluster", "DBClusterArn") => arn("rds") + "cluster:".len() + CLUSTER_MAX,
        ("AWS::RDS::DBCluster", "") => CLUSTER_MAX,
        ("AWS::S3::Bucket", "") => BUCKET_MAX,
        ("AWS::SES::ConfigurationSet", "") => stack + "-mail".len(),
        // Parameters, whose patterns limit them.
        ("MailRate" | "ReconcileDays", "") => 5,
        ("Architecture", "") => 6,
        ("ReconcileAgeSeconds", "") => 9,
        ("Release", "") => 40,
        ("RatesUrl", "") => 150,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
Resources:
  Bill: # a comment
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: handlers/bill/
      Environment:
        Variables:
          ONE: !Sub \"a${AWS::StackName}\" # 'another' \"comment\"
          TWO: !Sub '{\"q\":\"${BillQueue}\"}'
          THREE: !Ref Release
      Timeout: 3
  BillQueue:
    Type: AWS::SQS::Queue
    Properties:
      Tags:
        Other:
          FOUR: 4
Outputs:
  Five: { Value: 5 }
";

    #[test]
    fn functions_and_types_are_read_from_the_template() {
        let (types, functions) = read(TEMPLATE);
        let expected = [("Bill", "AWS::Serverless::Function"), ("BillQueue", "AWS::SQS::Queue")];
        assert_eq!(types, BTreeMap::from(expected));
        let [Function { handler, variables }] = &*functions else { panic!("{functions:?}") };
        let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        assert_eq!((*handler, &*names), ("bill", &["ONE", "TWO", "THREE"][..]));
        let lengths: Vec<usize> =
            variables.iter().map(|(_, value)| length(value, |_| 10)).collect();
        // Quotation marks are escaped: {\"q\":\"…\"}
        assert_eq!(lengths, [11, 22, 10]);
    }

    #[test]
    fn every_placeholder_of_an_environment_has_a_known_length() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../templates/lambda/template");
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let variables = text.lines().filter(|line| line.starts_with("          OMS_"));
            for name in variables.flat_map(|line| line.split("${").skip(1)) {
                let name = name.split('}').next().unwrap();
                let types = BTreeMap::from([("DatabaseCluster", "AWS::RDS::DBCluster")]);
                assert_ne!(longest(name, 20, &types), UNKNOWN, "{name}");
            }
        }
    }
}
