//! `oms mail`: the e-mails in the outbox.

use std::path::PathBuf;

use clap::Subcommand;
use oms_engine::mail::Mail;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_runtime::NotExported;
use oms_sqlite::{MailRow, StoredMail, private};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::target::state::Target;

/// List, show or export e-mails
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List e-mails
    ///
    /// Example: oms mail list pipelines/storefront.yaml
    List {
        #[command(flatten)]
        target: Target,
        /// Maximum number of e-mails to list
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the e-mails of an order as complete messages (RFC 5322)
    ///
    /// Example: oms mail show pipelines/storefront.yaml NW-10248
    Show {
        #[command(flatten)]
        target: Target,
        /// Open the HTML part in the browser
        #[arg(long)]
        open: bool,
        /// Part to write
        #[arg(long, value_enum, default_value = "eml")]
        part: Part,
    },
    /// Write all e-mails to a Maildir
    ///
    /// Example: oms mail export pipelines/storefront.yaml out/mail
    Export {
        #[command(flatten)]
        target: Target,
    },
}

/// A part of an e-mail.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Complete message
    Eml,
    /// HTML part
    Html,
    /// Plain text part
    Text,
    /// Subject
    Subject,
}

impl Part {
    /// Writes the part to standard output.
    ///
    /// # Errors
    /// When the message cannot be created or written.
    pub(crate) fn answer(self, mail: &Mail) -> anyhow::Result<()> {
        match self {
            Self::Eml => output::answer_bytes(&mail.to_rfc5322()?),
            Self::Html => output::answer_content(&mail.html),
            Self::Text => output::answer_content(&mail.text),
            Self::Subject => output::answer_content(&format!("{}\n", mail.subject)),
        }
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List { target, limit, format } => list(target, limit, format, kinds),
        Command::Show { target, open, part } => show(target, open, part, kinds),
        Command::Export { target } => export(target, kinds),
    }
}

fn list(target: Target, limit: u32, format: Format, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let mails = MailRow::list(&reading.reader, limit)?;
    let all = MailRow::total(&reading.reader)?;
    match format {
        Format::Json => {
            let listed = serde_json::json!({ "format_version": 1, "mails": mails, "all": all });
            output::json(&listed)?;
        }
        Format::Human => {
            let rows: Vec<Vec<String>> = mails
                .iter()
                .map(|mail| {
                    vec![
                        mail.key.clone(),
                        mail.step.clone(),
                        format!("{:.0}", mail.sent_at),
                        mail.message_id.clone(),
                    ]
                })
                .collect();
            output::answer(&render::table(&rows))?;
            output::say(&format!("total: {}", format_quantity(all, "e-mail")));
        }
    }
    Ok(exit::FINE)
}

fn show(target: Target, open: bool, part: Part, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(key) = found.words.first() else {
        return Err(Usage(
            "specify the key of the order; `oms mail list` lists the keys".to_owned(),
        )
        .into());
    };
    let reading = found.read(kinds)?;
    let mut mails = Vec::new();
    StoredMail::each(&reading.reader, Some(key), |mail| {
        mails.push(mail);
        Ok(())
    })?;
    anyhow::ensure!(
        !mails.is_empty(),
        "there is no e-mail for `{key}`; `oms runs show {} {key}` shows why",
        found.shown()
    );
    for StoredMail { mail, .. } in mails {
        if open {
            let path =
                std::env::temp_dir().join(format!("{}.html", mail.message_id.replace('@', ".")));
            oms_sqlite::private::write(&path, mail.html.as_bytes())?;
            open_in_browser(&path)?;
            output::say(&format!("opened {}", path.display()));
            continue;
        }
        part.answer(&mail)?;
    }
    Ok(exit::FINE)
}

fn open_in_browser(path: &std::path::Path) -> anyhow::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let status = std::process::Command::new(program).arg(path).status()?;
    anyhow::ensure!(status.success(), "`{program}` could not open {}", path.display());
    Ok(())
}

fn export(target: Target, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(directory) = found.words.first().map(PathBuf::from) else {
        return Err(Usage("specify the output folder".to_owned()).into());
    };
    let reading = found.read(kinds)?;
    private::create_directory(&directory)?;
    let (mut count, mut failed) = (0, 0);
    StoredMail::each(&reading.reader, None, |stored| {
        match oms_runtime::write_mail(&directory, &stored.mail) {
            Ok(()) => count += 1,
            Err(error) => {
                output::not_exported(&NotExported::mail(&stored.mail.message_id, &error));
                failed += 1;
            }
        }
        Ok(())
    })?;
    output::say(&format!(
        "{} written to {}",
        format_quantity(count, "e-mail"),
        directory.display()
    ));
    Ok(output::exported(failed, "e-mail"))
}
