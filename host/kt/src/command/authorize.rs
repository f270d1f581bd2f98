//! `kt authorize`: one request, its decision and the reason.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use cedargate::model::Record;
use clap::Args;

use crate::answer::Answer;
use crate::format::{Format, FormatArg};
use crate::policies::PoliciesArg;
use crate::replay::lines::LINE_BYTES_MAX;
use crate::ruling;
use crate::{stdout, words};

const AFTER_HELP: &str = "\
The record is what a gateway writes for each request:

  {\"id\":\"r-17\",\"at\":\"2026-04-23T12:45:00Z\",
   \"principal\":{\"id\":\"tok_frontend\",\"purpose\":\"general\",\"principal_type\":\"api_token\",\"status\":\"active\",
     \"bindings\":{\"models\":[\"gpt-4o\"]}},
   \"request\":{\"action\":\"chat.completions\",\"provider\":\"openai\",\"model\":\"gpt-4o\"}}

Exit codes: 0 allowed, 1 denied, 2 cannot say.

Examples:
  kt authorize request.json
  kt authorize --policies ./policies request.json --format json
  sed -n 17p requests.jsonl | kt authorize -";

/// Decides one recorded request and says why.
///
/// Prints the decision, who asked for what, the policies that decided with file and line, and how long the decision
/// holds. What the record expects is not looked at: that is `kt replay`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Authorize {
    /// The record, as JSON on one or several lines; `-` is standard input.
    #[arg(value_name = "REQUEST.json")]
    record: PathBuf,
    #[command(flatten)]
    policies: PoliciesArg,
    #[command(flatten)]
    format: FormatArg,
}

impl Authorize {
    pub(crate) fn run(self) -> anyhow::Result<Answer> {
        let (name, text) = read(&self.record)?;
        let record = parse(&text).with_context(|| format!("`{name}` is not a request record"))?;
        let pdp = self.policies.load(1)?;
        let prepared = ruling::prepare(&pdp, record.principal())?;
        let ruling = ruling::rule(&pdp, &prepared, &record)
            .map_err(|unreadable| anyhow!("`{name}` is not a request record: {}", unreadable.reason(&text)))?;
        let decision = ruling::decision_text(&pdp, &prepared, &record, &ruling)?;
        match self.format.format {
            Format::Json => stdout::print(&decision)?,
            Format::Text => {
                let errors = words::errors(&decision);
                stdout::print(&words::explain(&pdp.info(), &record, &ruling, &errors))?;
            }
        }
        Ok(if ruling.is_unavailable() { Answer::CannotSay } else { Answer::yes_if(ruling.is_allow()) })
    }
}

/// The name of the input, and its text.
fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let (name, input): (_, Box<dyn Read>) = if path.as_os_str() == "-" {
        ("standard input".to_owned(), Box::new(io::stdin()))
    } else {
        let name = path.display().to_string();
        let cannot = || format!("cannot read `{name}`");
        let file = File::open(path).with_context(cannot)?;
        if file.metadata().with_context(cannot)?.is_dir() {
            bail!("cannot read `{name}`: it is a folder, name a file in it");
        }
        (name, Box::new(file))
    };
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    input.take(limit.saturating_add(1)).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    if bytes.len() > LINE_BYTES_MAX {
        bail!("`{name}` is larger than {LINE_BYTES_MAX} bytes: a file of several records is one for `kt replay`");
    }
    match String::from_utf8(bytes) {
        // Some editors begin a file with a mark that JSON does not know.
        Ok(text) => Ok((name, text.trim_start_matches('\u{feff}').to_owned())),
        Err(_) => bail!("`{name}` is not UTF-8: save it as UTF-8"),
    }
}

/// A record on one or several lines.
fn parse(text: &str) -> anyhow::Result<Record> {
    if text.trim().is_empty() {
        bail!("it is empty: write one record, `kt authorize --help` shows one");
    }
    if !text.trim_start().starts_with('{') {
        bail!("it is not an object in braces: `kt authorize --help` shows one");
    }
    // Read as JSON first: its errors name the line, while a record by itself has only columns.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Record>();
    if let Some(first) = values.next() {
        first?;
    }
    if text.get(values.byte_offset()..).is_some_and(|rest| !rest.trim().is_empty()) {
        bail!("more stands behind it: a file of several records is one for `kt replay`");
    }
    Ok(Record::from_line(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_stand_on_several_lines() {
        let text = "{\"id\":\"a\",\n \"at\":\"2026-04-23T12:45:00Z\",\n \"principal\":{},\n \"request\":{}}\n";
        assert_eq!(parse(text).unwrap().id(), "a");
    }

    #[test]
    fn an_error_on_several_lines_names_the_line() {
        let text = "\n{\"id\":\"a\",\n \"at\":7}";
        assert!(format!("{:#}", parse(text).unwrap_err()).contains("line 3"));
    }

    #[test]
    fn two_records_are_one_too_many() {
        let record = "{\"id\":\"a\",\"at\":\"2026-04-23T12:45:00Z\",\"principal\":{},\"request\":{}}";
        assert!(parse(&format!("{record}\n{record}")).unwrap_err().to_string().contains("kt replay"));
    }
}
