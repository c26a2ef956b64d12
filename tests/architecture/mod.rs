//! Rules of the code base: dependencies between modules, captions, file sizes, names.

mod guide; // the guide for operators

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::project;

/// Maximum number of lines of a file.
const LONGEST_FILE: usize = 500;

struct Module {
    may_use: BTreeSet<String>,
    alone_touches: BTreeSet<String>,
}

/// The module table in the crate's top comment.
fn modules() -> BTreeMap<String, Module> {
    let plan = std::fs::read_to_string(project().join("src/lib.rs")).expect("the plan");
    let words = |cell: &str| -> BTreeSet<String> {
        cell.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty() && word != "–").collect()
    };
    plan.lines()
        .filter_map(|line| line.strip_prefix("//! | [`"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_end_matches('|').split('|').collect();
            let [name, _, may_use, alone] = cells[..] else { panic!("a row of the table is odd: {line}") };
            let name = name.trim().trim_end_matches("`]").to_owned();
            (name, Module { may_use: words(may_use), alone_touches: words(alone) })
        })
        .collect()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("node_modules") && !path.ends_with(".venv") {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(project().join("src")).expect("a source file");
    let first = inside.components().next().expect("a module").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let modules = modules();
    assert!(modules.len() >= 10, "the table could not be parsed");
    let mut broken = Vec::new();
    for path in files(&project().join("src"), "rs") {
        let own = module_of(&path);
        if ["lib", "main", "viewer"].contains(&own.as_str()) {
            continue;
        }
        let module = modules.get(&own).unwrap_or_else(|| panic!("{own} is not in the plan"));
        let code = without_comments(&std::fs::read_to_string(&path).expect("a source file"));
        for (start, _) in code.match_indices("crate::") {
            let rest = &code[start + "crate::".len()..];
            assert!(!rest.starts_with('{'), "{}: one path for each module", path.display());
            let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if used != own && !module.may_use.contains(&used) {
                broken.push(format!("{} uses {used}", path.display()));
            }
        }
        for (other, guest) in modules.iter().filter(|(name, _)| **name != own) {
            let guarded = guest.alone_touches.iter().filter(|name| !module.alone_touches.contains(*name));
            let touched = guarded.filter(|name| {
                // A module may have the name of the crate it wraps.
                if code.lines().any(|line| line.starts_with("use crate::") && line.contains(name.as_str())) {
                    return code.lines().any(|line| line.starts_with(&format!("use {name}")));
                }
                let before = |at: usize| code[..at].chars().next_back();
                code.match_indices(&format!("{name}::"))
                    .any(|(at, _)| before(at).is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':'))
            });
            broken.extend(touched.map(|name| format!("{} touches {name}, which is {other}'s alone", path.display())));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Files in the `crate::…` paths of a source file.
fn used_files(code: &str) -> BTreeSet<PathBuf> {
    let src = project().join("src");
    let words = |text: &str| -> Vec<String> {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
        text[..end].split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let file = |path: &[String]| {
        let stem = path.iter().fold(src.clone(), |path, word| path.join(word));
        [stem.with_extension("rs"), stem.join("mod.rs")].into_iter().find(|file| file.is_file())
    };
    let paths = code.match_indices("crate::").map(|(at, found)| words(&code[at + found.len()..]));
    paths.filter_map(|path| (1..=path.len()).rev().find_map(|length| file(&path[..length]))).collect()
}

#[test]
fn no_two_files_of_a_module_use_each_other() {
    let sources = files(&project().join("src"), "rs");
    let uses: BTreeMap<&PathBuf, BTreeSet<PathBuf>> = sources
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a source file");
            let code = without_comments(text.split("#[cfg(test)]").next().unwrap_or_default());
            (path, used_files(&code))
        })
        .collect();
    let mutual = |a: &PathBuf, b: &PathBuf| a < b && uses[b].contains(a);
    let pairs = uses
        .iter()
        .flat_map(|(a, used)| used.iter().filter(move |b| module_of(a) == module_of(b)).map(move |b| (*a, b)));
    let broken: Vec<String> =
        pairs.filter(|(a, b)| mutual(a, b)).map(|(a, b)| format!("{} and {}", a.display(), b.display())).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_type_name_is_defined_twice() {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&project().join("src"), "rs") {
        let text = std::fs::read_to_string(&path).expect("a source file");
        for line in text.lines() {
            let line = line.trim_start();
            let line = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map_or(line, |(_, rest)| rest);
            let line = line.strip_prefix("pub ").unwrap_or(line);
            let name = ["struct ", "enum ", "trait "].iter().find_map(|word| line.strip_prefix(word));
            let Some(name) = name.filter(|name| name.starts_with(char::is_uppercase)) else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            seen.entry(name).or_default().push(path.display().to_string());
        }
    }
    let twice: Vec<String> = seen
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

#[test]
fn only_a_caller_makes_a_view() {
    for path in files(&project().join("src/http"), "rs").iter().filter(|path| !path.ends_with("params/auth.rs")) {
        let code = without_comments(&std::fs::read_to_string(path).expect("a source file"));
        assert!(!code.contains("View::public") && !code.contains("View::complete"), "{}", path.display());
    }
}

#[test]
fn replies_read_values_through_a_view() {
    for path in ["src/http", "src/exchange"].iter().flat_map(|folder| files(&project().join(folder), "rs")) {
        let code = without_comments(&std::fs::read_to_string(&path).expect("a source file"));
        for (raw, instead) in
            [(".cell(", ".visible(&view).value("), ("Row::to_feature", ".visible(&view).to_feature()")]
        {
            assert!(!code.contains(raw), "{}: {raw} reads hidden values too; use {instead}", path.display());
        }
    }
}

#[test]
fn only_the_follower_reads_the_store_for_the_snapshot() {
    for path in files(&project().join("src/snapshot"), "rs") {
        let code = std::fs::read_to_string(&path).expect("a source file");
        assert!(path.ends_with("follower.rs") || !code.contains("crate::store"), "{}", path.display());
    }
}

#[test]
fn html_is_written_by_templates_that_escape() {
    for path in files(&project().join("src/http"), "rs") {
        let code = without_comments(&std::fs::read_to_string(&path).expect("a source file"));
        assert!(!code.contains("</"), "{} writes an HTML element as text", path.display());
        // The page template inserts a constant style sheet.
        let is_frame = path.ends_with("reply/html.rs");
        assert!(is_frame || !code.contains("PreEscaped"), "{} writes unescaped HTML", path.display());
    }
}

#[test]
fn every_file_has_a_caption_one_purpose_and_a_name() {
    let mut broken = Vec::new();
    for folder in ["src", "tests", "scripts"] {
        for path in files(&project().join(folder), "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            if !text.starts_with("//! ") {
                broken.push(format!("{} has no caption", path.display()));
            }
            if text.lines().count() > LONGEST_FILE {
                broken.push(format!("{} is longer than {LONGEST_FILE} lines", path.display()));
            }
        }
        for path in files(&project().join(folder), "ts") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            if !text.starts_with("// ") && !text.starts_with("/*") {
                broken.push(format!("{} has no caption", path.display()));
            }
        }
        for ending in ["rs", "ts", "mjs"] {
            for path in files(&project().join(folder), ending) {
                let stem = path.file_stem().expect("a name").to_string_lossy().to_lowercase();
                if ["utils", "util", "helpers", "helper", "common", "manager", "types", "misc"].contains(&stem.as_str())
                {
                    broken.push(format!("{} has a name without meaning", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn lock_files_name_no_download_address_of_packages() {
    for lock in ["src/viewer/package-lock.json", "tests/package-lock.json"] {
        let text = std::fs::read_to_string(project().join(lock)).expect("a lock file");
        assert!(!text.contains("\"resolved\""), "{lock}");
    }
}
