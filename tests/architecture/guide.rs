//! The operator's guide: the same pages and commands in both languages, links that resolve, options and settings that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use onemap::config::Config;

use super::files;
use crate::support::{Folder, project, run};

const LANGUAGES: [&str; 2] = ["en", "zh"];
/// Folders and files of the project that pages name by path.
const PROJECT_PATHS: [&str; 6] = ["docs/", "scripts/", "data/", "tests/", "benches/", "Containerfile"];
/// Messages of other programs and libraries on the page of troubleshooting.
const FOREIGN_MESSAGES: [&str; 4] = [
    "unknown field",
    "unsupported startup parameter: extra_float_digits",
    "file is not a database",
    "database disk image is malformed",
];

struct Page {
    name: String,
    path: PathBuf,
    text: String,
}

/// A fenced block: its language and content.
type Block = (String, String);

fn folder_of(language: &str) -> PathBuf {
    project().join("docs/guide").join(language).join("src")
}

/// The pages in the order of the summary.
fn pages(language: &str) -> Vec<Page> {
    let folder = folder_of(language);
    let summary = std::fs::read_to_string(folder.join("SUMMARY.md")).expect("a summary");
    let page = |name: String| {
        let path = folder.join(&name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Page { name, path, text }
    };
    links(&summary).into_iter().map(page).collect()
}

fn all_pages() -> Vec<Page> {
    LANGUAGES.into_iter().flat_map(pages).collect()
}

/// Targets of the links of a text.
fn links(text: &str) -> Vec<String> {
    text.match_indices("](")
        .filter_map(|(at, found)| text[at + found.len()..].split_once(')'))
        .map(|(target, _)| target.to_owned())
        .collect()
}

/// The fenced blocks of a page, and the text outside of them.
fn parts(text: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose, mut open): (Vec<Block>, String, Option<Block>) = (Vec::new(), String::new(), None);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, content)), None) => content.extend([line, "\n"]),
            (None, None) => prose.extend([line, "\n"]),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    (blocks, prose)
}

fn blocks(text: &str) -> Vec<Block> {
    parts(text).0
}

/// Text in backquotes outside of fenced blocks.
fn spans(text: &str) -> Vec<String> {
    let prose = parts(text).1;
    let paragraphs = prose.split("\n\n").flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    paragraphs.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Help by subcommand, such as `token add`.
fn help() -> BTreeMap<String, String> {
    let folder = Folder::new();
    let of = |command: &[&str]| {
        let output = run(&folder, &[command, &["--help"]].concat());
        assert!(output.status.success(), "{command:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let commands = |help: &str| -> Vec<String> {
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        listed
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(Into::into)
            .collect()
    };
    let mut found = BTreeMap::from([(String::new(), of(&[]))]);
    for command in commands(&found[""].clone()) {
        let own = of(&[&command]);
        for inner in commands(&own) {
            found.insert(format!("{command} {inner}"), of(&[&command, &inner]));
        }
        found.insert(command, own);
    }
    found
}

/// Options of a help text.
fn options(help: &str) -> BTreeSet<&str> {
    let words = help.split_whitespace().map(|word| word.trim_end_matches(','));
    words.filter(|word| word.starts_with("--")).collect()
}

/// Each `onemap …` of a line, as words from the subcommand to the end of the command. The second member states whether the
/// word stands where a command begins.
fn commands(line: &str) -> Vec<(Vec<String>, bool)> {
    let line = line.replace("&&", "\n").replace("$(", "\n").replace(['|', ';', ')'], "\n").replace(['\'', '"'], " ");
    let mut found = Vec::new();
    for command in line.lines() {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with('>')).collect();
        for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "onemap") {
            let rest = words[at + 1..].iter().map(|word| (*word).to_owned()).collect();
            found.push((rest, at == 0));
        }
    }
    found
}

/// What is wrong with a command; `None` if it exists with its options.
fn wrong(help: &BTreeMap<String, String>, (words, is_command): &(Vec<String>, bool)) -> Option<String> {
    let (first, second) = (words.first()?, words.get(1).map_or("", String::as_str));
    if first.starts_with("--") && !*is_command {
        return None; // an option of another program, after the name of the service or image
    }
    let nested = format!("{first} {second}");
    let own = if first.starts_with("--") { help.get("") } else { help.get(&nested).or_else(|| help.get(first)) };
    let Some(own) = own else { return is_command.then(|| format!("onemap {first} is no command")) };
    let is_open = help.keys().any(|name| name.starts_with(&format!("{first} "))) && !help.contains_key(&nested);
    if is_open && !second.is_empty() {
        return Some(format!("onemap {nested} is no command"));
    }
    let given = words.iter().filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap_or(word));
    let unknown = given.into_iter().find(|option| !options(own).contains(option));
    unknown.map(|option| format!("onemap {first} has no option {option}"))
}

#[test]
fn both_languages_have_the_same_pages_in_the_same_order() {
    let [english, chinese] =
        LANGUAGES.map(|language| pages(language).into_iter().map(|page| page.name).collect::<Vec<_>>());
    assert_eq!(english, chinese);
    assert!(english.len() > 10);
    for language in LANGUAGES {
        let listed: BTreeSet<PathBuf> = pages(language).into_iter().map(|page| page.path).collect();
        let present = files(&folder_of(language), "md").into_iter().filter(|path| !path.ends_with("SUMMARY.md"));
        assert_eq!(present.collect::<BTreeSet<_>>(), listed);
        let book = std::fs::read_to_string(project().join("docs/guide").join(language).join("book.toml"));
        assert!(book.is_ok_and(|book| book.contains("src = \"src\"")));
    }
}

#[test]
fn both_languages_show_the_same_commands_and_files() {
    for (english, chinese) in pages("en").iter().zip(pages("zh")) {
        let (english_blocks, chinese_blocks) = (blocks(&english.text), blocks(&chinese.text));
        let different = english_blocks.iter().zip(&chinese_blocks).find(|(english, chinese)| english != chinese);
        assert_eq!(different, None, "{}", english.name);
        assert_eq!(english_blocks.len(), chinese_blocks.len(), "{}", english.name);
        let headings = |text: &str| -> Vec<usize> {
            let prose = parts(text).1;
            prose.lines().filter(|line| line.starts_with('#')).map(|line| line.matches('#').count()).collect()
        };
        assert_eq!(headings(&english.text), headings(&chinese.text), "{}", english.name);
    }
}

#[test]
fn every_link_and_every_path_of_the_guide_exists() {
    let mut broken = Vec::new();
    for page in all_pages() {
        let folder = page.path.parent().expect("a folder");
        let targets = links(&page.text).into_iter().filter(|target| !target.starts_with("http"));
        broken
            .extend(targets.filter(|target| !folder.join(target).is_file()).map(|target| (page.name.clone(), target)));
        let named =
            spans(&page.text).into_iter().filter(|span| PROJECT_PATHS.iter().any(|path| span.starts_with(path)));
        broken.extend(named.filter(|path| !project().join(path).exists()).map(|path| (page.name.clone(), path)));
    }
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = std::fs::read_to_string(project().join(readme)).expect("the README");
        let guide: Vec<String> = links(&text).into_iter().filter(|target| target.starts_with("docs/guide")).collect();
        assert!(!guide.is_empty(), "{readme} does not link the guide");
        broken
            .extend(guide.into_iter().filter(|path| !project().join(path).exists()).map(|path| (readme.into(), path)));
    }
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn every_command_option_and_variable_of_the_guide_exists() {
    let help = help();
    let all: BTreeSet<&str> = help.values().flat_map(|help| options(help)).collect();
    let variables: BTreeSet<&str> = help["serve"]
        .match_indices("[env: ")
        .filter_map(|(at, found)| help["serve"][at + found.len()..].split([']', '=']).next())
        .collect();
    let (mut broken, mut count) = (Vec::new(), 0);
    for page in all_pages() {
        let shown = blocks(&page.text).into_iter().filter(|(language, _)| ["sh", "ini"].contains(&language.as_str()));
        let lines = shown.flat_map(|(_, content)| {
            let content = content.replace("ExecStart=", "").replace("sh -c ", "; ");
            content.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        for line in lines.chain(spans(&page.text).into_iter().filter(|span| span.starts_with("onemap "))) {
            let commands = commands(&line);
            count += commands.len();
            broken.extend(
                commands.iter().filter_map(|command| wrong(&help, command)).map(|fault| (page.name.clone(), fault)),
            );
        }
        let alone = spans(&page.text).into_iter().filter(|span| span.starts_with("--") && !span.starts_with("---"));
        let unknown = alone.filter(|span| !all.contains(span.split([' ', '=']).next().unwrap_or_default()));
        broken.extend(unknown.map(|span| (page.name.clone(), span)));
        for (at, _) in page.text.match_indices("ONEMAP_") {
            let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
            let name: String = page.text[at..].chars().take_while(|c| is_part(*c)).collect();
            if !variables.contains(name.as_str()) {
                broken.push((page.name.clone(), name));
            }
        }
    }
    assert!(count > 100, "only {count} commands were found");
    assert!(broken.is_empty(), "{broken:?}");
}

/// Reads a configuration whose files are in a new folder.
fn accepts(text: &str) -> Result<(), String> {
    let folder = Folder::new();
    let catalog = std::fs::read_to_string(project().join("data/catalog.json")).expect("the catalog");
    folder.write("county.json", catalog);
    folder.write("fuzhou.secret", "secret");
    std::fs::create_dir(folder.file("alerts")).expect("a folder");
    let text = text.replace("/var/lib/onemap/", "").replace("/srv/alerts", "alerts");
    Config::read(&folder.write("onemap.toml", text)).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_configuration_of_the_guide_is_accepted() {
    let shown: Vec<(String, String)> = all_pages()
        .into_iter()
        .flat_map(|page| blocks(&page.text).into_iter().map(move |block| (page.name.clone(), block)))
        .filter(|(_, (language, _))| language == "toml")
        .map(|(page, (_, text))| (page, text))
        .collect();
    assert!(shown.len() >= 10, "only {} were found", shown.len());
    for (page, text) in shown {
        assert_eq!(accepts(&text), Ok(()), "{page}: {text}");
    }
    let packaged = std::fs::read_to_string(project().join("scripts/onemap.toml")).expect("the packaged configuration");
    assert_eq!(accepts(&packaged), Ok(()));
    let set = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let all_set = packaged.lines().map(set).collect::<Vec<_>>().join("\n");
    assert!(all_set.lines().filter(|line| line.starts_with('[')).count() >= 4);
    assert_eq!(accepts(&all_set), Ok(()), "{all_set}");
}

/// The source as text; strings that continue on the next line are joined.
fn source() -> String {
    let text = |path: &PathBuf| std::fs::read_to_string(path).expect("a source file");
    let lines = files(&project().join("src"), "rs").iter().map(text).collect::<String>();
    let mut parts = lines.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |joined, part| joined + part.trim_start())
}

#[test]
fn every_message_problem_and_metric_of_the_guide_is_in_the_source() {
    let source = source();
    let (mut missing, mut count) = (Vec::new(), 0);
    for page in all_pages() {
        let text = parts(&page.text).1;
        let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        let first_cells: Vec<String> =
            rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
        let is_metric = |span: &String| page.name == "monitoring.md" && span.starts_with("onemap_");
        let is_slug = |span: &str| span.contains('-') && span.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        let is_shown = |span: &String| {
            page.name == "troubleshooting.md"
                && (span.contains(' ') || is_slug(span))
                && !FOREIGN_MESSAGES.contains(&span.as_str())
        };
        let wanted = first_cells.into_iter().filter(|span| is_metric(span) || is_shown(span));
        for span in wanted {
            count += 1;
            let text = if is_slug(&span) { format!("\"{span}\"") } else { span };
            if !source.contains(&text) {
                missing.push((page.name.clone(), text));
            }
        }
    }
    assert!(count > 60, "only {count} were found");
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_package_contains_files_that_exist() {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).expect("the manifest");
    let section = manifest.split("[package.metadata.deb]").nth(1).and_then(|rest| rest.split("\n\n").next());
    let assets: Vec<&str> =
        section.expect("a package").lines().filter_map(|line| line.strip_prefix("  [\"")?.split('"').next()).collect();
    assert!(assets.len() > 5);
    for asset in assets.into_iter().filter(|asset| !asset.starts_with("target/")) {
        let path = project().join(asset.split('*').next().unwrap_or(asset));
        let is_present = path.exists()
            || Path::new(asset).parent().is_some_and(|folder| asset.contains('*') && project().join(folder).is_dir());
        assert!(is_present, "{asset}");
    }
    for language in LANGUAGES {
        assert!(manifest.contains(&format!("docs/guide/{language}/src/*.md")));
    }
}
