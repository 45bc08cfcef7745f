//! `oms generate lambda`: the output is the same each time, and `--check` reports a folder that
//! differs from it.

use crate::harness::{Scratch, copy, oms, root};

#[test]
fn a_generated_folder_is_checked_file_by_file() {
    let scratch = Scratch::new();
    for name in ["storefront", "order-management"] {
        let pipeline = format!("pipelines/{name}.yaml");
        let out = scratch.path(name);
        let shown = out.to_string_lossy();
        let words = ["generate", "lambda", &pipeline, "--out", &shown];
        let check = || oms([&words[..], &["--check"]].concat());
        assert!(check().exits(1).stderr.contains("template.yaml"));
        assert!(!out.exists(), "`--check` wrote files");
        oms(words).exits(0);
        check().exits(0);
        assert!(oms(words).exits(0).stderr.contains(" 0 of "));
        let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
        let parsed: serde_yaml::Value = serde_yaml::from_str(&template).unwrap();
        let has = |id: &str| parsed["Resources"].get(id).is_some();
        assert!(has("InitiateBillingQueue") && has("CustomerCommunicationsRole"));
        // A changed file and an extra file.
        std::fs::write(out.join("iam.md"), "changed").unwrap();
        std::fs::write(out.join("handlers/intake/bundle/old.csv"), "old").unwrap();
        let stale = check().exits(1).stderr;
        assert!(stale.contains("iam.md") && stale.contains("old.csv"), "{stale}");
        oms(words).exits(0);
        assert!(!out.join("handlers/intake/bundle/old.csv").exists());
        check().exits(0);
    }
}

#[test]
fn a_generated_workspace_contains_its_crates_and_an_exact_lock_file() {
    let scratch = Scratch::new();
    for name in ["storefront", "order-management"] {
        let out = scratch.path(name);
        let pipeline = format!("pipelines/{name}.yaml");
        oms(["generate", "lambda", &pipeline, "--out", &out.to_string_lossy()]).exits(0);
        // Fails if a manifest is invalid, or if Cargo would change the lock file.
        let words = ["update", "--workspace", "--offline", "--locked"];
        let cargo =
            std::process::Command::new(env!("CARGO")).args(words).current_dir(&out).output();
        let cargo = cargo.unwrap();
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        let lock = std::fs::read_to_string(out.join("Cargo.lock")).unwrap();
        let own = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
        let versions = |lock: &str| -> Vec<String> {
            let packages = lock.split("[[package]]\n").skip(1);
            let named = packages.filter(|package| package.contains("source = "));
            named
                .filter_map(|package| Some(package.split_once("dependencies")?.0.to_owned()))
                .collect()
        };
        let known = versions(&own);
        let other: Vec<_> =
            versions(&lock).into_iter().filter(|one| !known.contains(one)).collect();
        assert!(other.is_empty(), "other versions than in the project's lock file: {other:?}");
    }
}

#[test]
fn a_pipeline_that_lambda_cannot_run_is_rejected() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let pipeline = "tests/diagnostics/OMS0702-needs-another-handler.yaml";
    let refused = oms(["generate", "lambda", pipeline, "--out", &out.to_string_lossy()]).exits(1);
    assert!(refused.stderr.contains("OMS0702"), "{}", refused.stderr);
    assert!(!out.exists());
}

/// Returns a small pipeline with this description, path and pair of handlers.
fn pipeline_with_handlers(description: &str, path: &str, handlers: [&str; 2]) -> String {
    let [one, two] = handlers;
    format!(
        r#"
oms: 1
name: small
description: {description}
order:
  schema: {{ type: object, required: [id], properties: {{ id: {{ type: string }} }} }}
  key: ${{{{ order.id }}}}
intake: {{ path: "{path}" }}
tables:
  first: {{ key: [id], columns: {{ id: text }} }}
  second: {{ key: [id], columns: {{ id: text }} }}
steps:
  store: {{ uses: object.put, with: {{ bucket: orders, key: "${{{{ run.key }}}}", body: "${{{{ order }}}}" }} }}
  told: {{ uses: topic.publish, needs: [store], with: {{ topic: told }} }}
  a: {{ uses: table.insert, needs: [told], with: {{ table: first, row: {{ id: "${{{{ run.key }}}}" }} }} }}
  b: {{ uses: table.upsert, needs: [told], with: {{ table: second, row: {{ id: "${{{{ run.key }}}}" }} }} }}
handlers: {{ "{one}": [a], "{two}": [b] }}
"#
    )
}

#[test]
fn the_template_is_valid_yaml_and_conflicting_handler_names_are_rejected() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let generate = |text: String| {
        let pipeline = scratch.write("small.yaml", text);
        oms(["generate", "lambda", &pipeline.to_string_lossy(), "--out", &out.to_string_lossy()])
    };
    let description = "'a \"quoted\": {text} # with everything'";
    generate(pipeline_with_handlers(description, "/{key}", ["on", "null"])).exits(0);
    let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
    let parsed: serde_yaml::Value = serde_yaml::from_str(&template).unwrap();
    let description = parsed["Description"].as_str().unwrap();
    assert_eq!(description, "small: a \"quoted\": {text} # with everything");
    assert!(template.contains("/{key+}:") && template.contains("/live/PUT/*"));
    assert!(parsed["Resources"].get("OnQueue").is_some());
    let refused = generate(pipeline_with_handlers("x", "/x/{key}", ["a-b", "a_b"])).exits(4);
    assert!(refused.stderr.contains("would have the logical id"), "{}", refused.stderr);
    for handlers in [["told", "told-failed"], ["database", "x"]] {
        generate(pipeline_with_handlers("x", "/x/{key}", handlers)).exits(0);
    }
    for handlers in [["intake", "x"], ["x", "reconcile"], ["tokio", "x"]] {
        let refused = generate(pipeline_with_handlers("x", "/x/{key}", handlers)).exits(4);
        assert!(
            refused.stderr.contains("is reserved for a resource or a crate"),
            "{}",
            refused.stderr
        );
    }
    let none = oms([
        "generate",
        "lambda",
        "pipelines/order-management.yaml",
        "--out",
        &out.to_string_lossy(),
        "--rates",
        "refreshed",
    ]);
    assert!(none.exits(4).stderr.contains("no rates to update"));
}

#[test]
fn a_direct_intake_has_no_handler_and_no_pinned_rates() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let text = std::fs::read_to_string(root().join("pipelines/storefront.yaml")).unwrap();
    let text = text.replace("{key}\" }", "{key}\", mode: direct }");
    let text = text.replace("key: ${{ order.order_id }}", "key: ${{ intake.name }}");
    let text = text.replace("order_id: ${{ order.order_id }}", "order_id: ${{ run.key }}");
    for folder in ["pipelines/storefront", "templates"] {
        let here = scratch.path(folder);
        std::fs::create_dir_all(here.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root().join(folder), here).unwrap();
    }
    let pipeline = scratch.write("pipelines/storefront.yaml", text);
    let (pipeline, shown) = (pipeline.to_string_lossy(), out.to_string_lossy());
    let words = ["generate", "lambda", &pipeline, "--out", &shown];
    let refused = oms([&words[..], &["--rates", "refreshed"]].concat()).exits(4);
    assert!(refused.stderr.contains("cannot be stored with an order"), "{}", refused.stderr);
    oms(words).exits(0);
    assert!(!out.join("handlers/intake").exists() && !out.join("events/intake.json").exists());
    let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
    let parsed: serde_yaml::Value = serde_yaml::from_str(&template).unwrap();
    let body = &parsed["Resources"]["Api"]["Properties"]["DefinitionBody"];
    let put = &body["paths"]["/storefront/order/{key}"]["put"];
    let integration = &put["x-amazon-apigateway-integration"];
    assert!(template.contains(":s3:path/${OrdersBucket}/{key}.json"));
    let header = &integration["requestParameters"]["integration.request.header.If-None-Match"];
    assert_eq!(header.as_str(), Some("'*'"));
    // Only a 2xx answer of S3 becomes a 201.
    let responses = integration["responses"].as_mapping().unwrap();
    let accepted = responses.iter().filter(|(_, answer)| answer["statusCode"] == "201");
    assert_eq!(accepted.map(|(on, _)| on.as_str().unwrap()).collect::<Vec<_>>(), [r"2\d{2}"]);
    assert_eq!(body["components"]["schemas"]["Order"]["type"], "object");
}

#[test]
fn a_handler_embeds_its_own_steps_and_what_they_use() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let words = ["generate", "lambda", "pipelines/storefront.yaml", "--rates", "refreshed"];
    oms([&words[..], &["--out", &out.to_string_lossy()]].concat()).exits(0);
    let bundle = |handler: &str| out.join("handlers").join(handler).join("bundle");
    let text = |handler: &str| std::fs::read_to_string(bundle(handler).join("storefront.yaml"));
    let (intake, bill) = (text("intake").unwrap(), text("initiate-billing").unwrap());
    let mail = text("customer-communications").unwrap();
    for (word, wanted) in [
        ("\"billing_data\"", [false, true, false]),
        ("\"customer_contact_info\"", [false, false, true]),
        ("\"ecb\"", [false, true, true]),
        ("\"mail\"", [false, false, true]),
        ("\"store\"", [true, true, true]),
    ] {
        let found = [&intake, &bill, &mail].map(|text| text.contains(word));
        assert_eq!(found, wanted, "{word}");
    }
    assert!(!bundle("intake").join("storefront/eurofxref.csv").exists());
    assert!(!bundle("initiate-billing").join("parent").exists());
    assert!(bundle("customer-communications").join("parent/templates/email").exists());
    assert!(!out.join("handlers/refresh/bundle").exists(), "the refresh handler has a bundle");
    let schema = std::fs::read_to_string(out.join("schema.sql")).unwrap();
    let bills =
        "grant INSERT, SELECT, UPDATE on \"billing_data\" to \"oms_storefront_initiate_billing\"";
    assert!(schema.contains(bills), "{schema}");
}

#[test]
fn the_readme_contains_the_cost_of_the_stack_and_its_smallest_limit() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let words = ["generate", "lambda", "pipelines/storefront.yaml", "--rates", "refreshed"];
    oms([&words[..], &["--out", &out.to_string_lossy()]].concat()).exits(0);
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
    let template: serde_yaml::Value = serde_yaml::from_str(&template).unwrap();
    let resources = template["Resources"].as_mapping().unwrap();
    let count = |kind: &str| resources.values().filter(|one| one["Type"] == kind).count();
    let alarms = count("AWS::CloudWatch::Alarm");
    assert!(readme.contains(&format!("| CloudWatch | alarms |  | {alarms} | [0.10](")), "{readme}");
    // RDS creates one more secret.
    let secrets = count("AWS::SecretsManager::Secret") + 1;
    assert!(readme.contains(&format!("| Secrets Manager | secrets |  | {secrets} | [")));
    for service in ["X-Ray", "RDS Data API", "SES", "SNS", "SQS", "S3", "Lambda", "Aurora"] {
        assert!(readme.contains(&format!("\n| {service} | ")), "{service}");
    }
    assert!(readme.contains("SES limits the throughput: `MailRate` allows 1 order per second."));
    // The template engine would leave a blank line within a table.
    assert!(!readme.contains("|\n\n|"), "{readme}");
}

#[test]
fn the_calls_of_a_step_are_counted_for_each_element() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let text = pipeline_with_handlers("x", "/x/{key}", ["one", "two"]);
    let items = "id: { type: string }, skus: { type: array, maxItems: 9, items: { type: string } }";
    let text = text
        .replace("id: { type: string }", items)
        .replace("required: [id]", "required: [id, skus]")
        .replace("a: { uses", "a: { for_each: { items: \"${{ order.skus }}\", as: sku }, uses")
        .replace(
            "first, row: { id: \"${{ run.key }}\"",
            "first, row: { id: \"${{ run.key }}/${{ sku }}\"",
        );
    let pipeline = scratch.write("small.yaml", text);
    let words = ["generate", "lambda", &pipeline.to_string_lossy(), "--out"];
    oms([&words[..], &[&*out.to_string_lossy()]].concat()).exits(0);
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    assert!(readme.contains("| `one` | `rds-data:ExecuteStatement` | 1 per element | steps.a |"));
    // Three elements, the note on them, the other handler's statement, and the search.
    assert!(readme.contains("| RDS Data API | requests | 5.56 | 120 |"), "{readme}");
    assert!(!readme.contains("| SES | "));
}

#[test]
fn other_prices_replace_the_default_ones_and_an_invalid_file_is_rejected() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let generate = |prices: &std::path::Path, check: &[&str]| {
        let (shown, prices) = (out.to_string_lossy(), prices.to_string_lossy());
        let words = ["generate", "lambda", "pipelines/storefront.yaml", "--out", &shown];
        oms([&words[..], &["--prices", &prices], check].concat())
    };
    let text = root().join("templates/lambda/prices/us-east-1.json");
    let text = std::fs::read_to_string(text).unwrap();
    let prices = scratch.write("own.json", text.replace("\"usd\": \"3.50\"", "\"usd\": \"7\""));
    generate(&prices, &[]).exits(0);
    generate(&prices, &["--check"]).exits(0);
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with("| API Gateway | requests | 1 |"));
    let line = line.unwrap();
    assert!(
        line.contains("[7 per 1,000,000]") && line.ends_with("| <0.01 | 0.70 | 7.00 |"),
        "{line}"
    );
    assert!(readme.contains("oms generate lambda storefront.yaml --out . --prices prices.json"));
    // The copy of the price file gives the same files.
    generate(&out.join("prices.json"), &["--check"]).exits(0);
    let invalid = scratch.write("bad.json", text.replace("\"usd\": \"3.50\"", "\"usd\": 3.5"));
    let refused = generate(&invalid, &[]).exits(4).stderr;
    let place = "bad.json` is not a valid price file: line 6, column 39: `prices.api_gateway_request.usd`: ";
    assert!(
        refused.contains(place) && refused.contains("a decimal number must be text"),
        "{refused}"
    );
    assert!(generate(&scratch.path("none.json"), &[]).exits(4).stderr.contains("cannot read"));
}

#[test]
fn changes_that_would_park_accepted_orders_are_reported() {
    let scratch = Scratch::new();
    let pipelines = scratch.path("project/pipelines");
    copy(&root().join("pipelines"), &pipelines);
    copy(&root().join("templates/email"), &scratch.path("project/templates/email"));
    // The root of a project.
    std::fs::create_dir(scratch.path("project/.git")).unwrap();
    let pipeline = pipelines.join("storefront.yaml").to_string_lossy().into_owned();
    let (deployed, next) = (scratch.path("deployed"), scratch.path("next"));
    let [deployed, next] = [deployed, next].map(|path| path.to_string_lossy().into_owned());
    oms(["generate", "lambda", &pipeline, "--out", &deployed]).exits(0);
    let generate = |more: &[&str]| {
        let words = ["generate", "lambda", &pipeline, "--out", &next, "--against", &deployed];
        oms([&words[..], more].concat())
    };
    assert!(!generate(&[]).exits(0).stderr.contains("warning"));
    generate(&["--check"]).exits(0);
    let schema = pipelines.join("storefront/order.schema.json");
    let text = std::fs::read_to_string(&schema).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&text).unwrap();
    changed["properties"]["customer_id"]["maxLength"] = 30.into();
    std::fs::write(&schema, changed.to_string()).unwrap();
    let warned = generate(&[]).exits(0).stderr;
    let expected = "warning: the order schema may reject accepted orders, which are then parked: `/properties/customer_id/maxLength`";
    assert!(warned.contains(expected), "{warned}");
    generate(&["--check"]).exits(1);
    let nowhere = ["generate", "lambda", &pipeline, "--out", &next, "--against", "nowhere"];
    assert!(oms(nowhere).exits(4).stderr.contains("`nowhere` contains no generated handlers"));
}

#[test]
fn a_step_that_runs_after_a_failure_does_not_write_the_done_note() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let note = |text: &str| {
        let pipeline = scratch.write("small.yaml", text);
        let words = ["generate", "lambda", &pipeline.to_string_lossy(), "--out"];
        oms([&words[..], &[&*out.to_string_lossy()]].concat()).exits(0);
        let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
        readme.contains("write the note on the order")
    };
    let one = pipeline_with_handlers("x", "/x/{key}", ["one", "two"]);
    let one = one.replace("{ \"one\": [a], \"two\": [b] }", "{ one: [a, b] }");
    let then = one.replace("table.upsert, needs: [told]", "table.upsert, needs: [a]");
    assert!(!note(&then), "the note is written apart from the last step");
    assert!(note(&one), "a step writes the note although another one may end later");
    assert!(note(&then.replace("needs: [a]", "needs: [{ step: a, allow: [failed] }]")));
}

/// Returns a pipeline with as many handlers, whose names begin with `name`.
fn pipeline_with_many_handlers(count: usize, name: &str) -> String {
    let each = |line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let tables = each(&|at| format!("  t{at}: {{ key: [id], columns: {{ id: text }} }}\n"));
    let steps = each(&|at| {
        let with = format!("{{ table: t{at}, row: {{ id: \"${{{{ run.key }}}}\" }} }}");
        format!("  s{at}: {{ uses: table.insert, needs: [told], with: {with} }}\n")
    });
    let handlers = each(&|at| format!("  {name}-{at}: [s{at}]\n"));
    let small = pipeline_with_handlers("x", "/x/{key}", ["a", "b"]);
    let (before, rest) = small.split_once("  first: ").unwrap();
    let (_, rest) = rest.split_once("steps:\n").unwrap();
    let (trunk, _) = rest.split_once("  a: ").unwrap();
    format!("{before}{tables}steps:\n{trunk}{steps}handlers:\n{handlers}")
}

#[test]
fn a_stack_that_exceeds_a_limit_of_aws_is_rejected() {
    let scratch = Scratch::new();
    let generate = |count, name: &str| {
        let pipeline = scratch.write("many.yaml", pipeline_with_many_handlers(count, name));
        let out = scratch.path("out").to_string_lossy().into_owned();
        oms(["generate", "lambda", &pipeline.to_string_lossy(), "--out", &out])
    };
    generate(16, "customer-communications").exits(0);
    let large = generate(22, &"long-".repeat(8)).exits(4).stderr;
    assert!(large.contains("the environment variables of the function `reconcile`"), "{large}");
    let many = generate(30, "x").exits(4).stderr;
    assert!(many.contains("resources, but CloudFormation allows 500"), "{many}");
}

#[test]
fn a_long_wait_between_attempts_needs_several_deliveries() {
    let scratch = Scratch::new();
    let pipeline = pipeline_with_handlers("x", "/x/{key}", ["a", "b"]);
    // 12 of the 13 waits have 24 hours. A message returns after 11 hours at the latest.
    let retry = "retry: { attempts: 14, initial_ms: 3600000, max_ms: 86400000, multiplier: 100 }";
    let pipeline = pipeline.replace("  a: { ", &format!("  a: {{ {retry}, "));
    let pipeline = scratch.write("patient.yaml", pipeline);
    let out = scratch.path("out");
    oms(["generate", "lambda", &pipeline.to_string_lossy(), "--out", &out.to_string_lossy()])
        .exits(0);
    let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
    let receives = 20 + 14 + 12 * 2;
    let policy = format!("ADeadLetters.Arn, maxReceiveCount: {receives} }}");
    assert!(template.contains(&policy), "{policy}");
}

#[test]
fn the_stage_of_the_api_waits_for_the_permission_to_invoke_the_intake() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let pipeline = "pipelines/storefront.yaml";
    oms(["generate", "lambda", pipeline, "--out", &out.to_string_lossy()]).exits(0);
    let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
    let api = template.split("\n  Api:\n").nth(1).unwrap();
    let api = api.split("\n  ApiLog:\n").next().unwrap();
    // SAM copies the variables to the stage.
    assert!(api.contains("      Variables: { permission: !GetAtt IntakePermission.Id }"), "{api}");
}
