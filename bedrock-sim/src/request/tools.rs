//! The tools of a request, and which of them the model has to use.
//!
//! Owns the constraints of `toolConfig`. What a tool does is its caller's matter: here it is a schema
//! that an answer can be made to follow.
//! The one rule it protects: a tool that is chosen is one of those that are given.

use serde_json::Value;

use super::reader::{At, Object, Reader, member_list, member_object, member_text, object, present};
use super::settings::{NO_LIMIT, check_count};
use crate::errors::Refusal;

/// What a request says of tools.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tools {
    pub(crate) are_given: bool,
    /// The tool that the model has to use.
    pub(crate) forced: Option<ForcedTool>,
}

/// A tool that the answer has to be a use of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForcedTool {
    pub(crate) name: String,
    /// The JSON schema of its input.
    pub(crate) schema: Value,
}

pub(super) fn read(reader: &mut Reader, request: &Object) -> Result<Tools, Refusal> {
    let at = At::ROOT.member("toolConfig");
    let Some(config) = member_object(request, "toolConfig")? else {
        return Ok(Tools::default());
    };
    let at_tools = at.member("tools");
    let Some(tools) = member_list(config, "tools")? else {
        reader.missing(at_tools);
        return Ok(Tools::default());
    };
    check_count(reader, tools.len(), at_tools, 1, NO_LIMIT);
    let mut known = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let at = at_tools.item(index);
        let at = at.member("toolSpec");
        if let Some(spec) = member_object(object(tool)?, "toolSpec")? {
            known.extend(read_spec(reader, spec, at)?);
        }
    }
    let forced = match member_object(config, "toolChoice")? {
        None => None,
        Some(choice) => read_choice(reader, choice, at.member("toolChoice"), known)?,
    };
    Ok(Tools { are_given: true, forced })
}

fn read_spec(reader: &mut Reader, spec: &Object, at: At<'_>) -> Result<Option<ForcedTool>, Refusal> {
    let name = read_name(reader, spec, at)?;
    let Some(schema) = member_object(spec, "inputSchema")? else {
        reader.missing(at.member("inputSchema"));
        return Ok(None);
    };
    let schema = present(schema, "json").cloned().unwrap_or(Value::Null);
    Ok(name.map(|name| ForcedTool { name: name.to_owned(), schema }))
}

fn read_name<'v>(reader: &mut Reader, holder: &'v Object, at: At<'_>) -> Result<Option<&'v str>, Refusal> {
    let name = member_text(holder, "name")?;
    match name {
        None => reader.missing(at.member("name")),
        Some(name) => {
            reader.length(name, at.member("name"), 1, 64);
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if !name.bytes().all(allowed) {
                let constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+";
                reader.violated(&name, at.member("name"), constraint);
            }
        }
    }
    Ok(name)
}

/// The tool that has to be used. Of several that may be, it is the first.
fn read_choice(
    reader: &mut Reader,
    choice: &Object,
    at: At<'_>,
    known: Vec<ForcedTool>,
) -> Result<Option<ForcedTool>, Refusal> {
    let auto = member_object(choice, "auto")?;
    let any = member_object(choice, "any")?;
    let tool = member_object(choice, "tool")?;
    match (auto, any, tool) {
        (Some(_), None, None) => Ok(None),
        (None, Some(_), None) => Ok(known.into_iter().next()),
        (None, None, Some(tool)) => {
            let Some(name) = read_name(reader, tool, at.member("tool"))? else {
                return Ok(None);
            };
            let chosen = known.into_iter().find(|tool| tool.name == name);
            chosen.map(Some).ok_or_else(|| {
                Refusal::validation(format!(
                    "The tool {name} in toolConfig.toolChoice.tool is none of the tools in \
                     toolConfig.tools. Choose one of them and try again."
                ))
            })
        }
        _ => Err(Refusal::validation(
            "ToolChoice object at toolConfig.toolChoice must set one of the following keys: auto, \
             any, tool.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn forced(choice: Value) -> Result<Option<String>, String> {
        let tool = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": {"title": name}}}});
        let tools = json!([tool("one"), {"cachePoint": {"type": "default"}}, tool("two")]);
        let request = json!({"toolConfig": {"tools": tools, "toolChoice": choice}});
        let mut reader = Reader::default();
        let tools = read(&mut reader, request.as_object().unwrap()).map_err(|refusal| refusal.message)?;
        reader.finish().map_err(|refusal| refusal.message)?;
        assert!(tools.are_given);
        Ok(tools.forced.map(|tool| {
            assert_eq!(tool.schema["title"], tool.name);
            tool.name
        }))
    }

    #[test]
    fn a_tool_is_forced_by_name_or_as_one_of_all() {
        assert_eq!(forced(json!({"tool": {"name": "two"}})), Ok(Some("two".to_owned())));
        assert_eq!(forced(json!({"any": {}})), Ok(Some("one".to_owned())));
        assert_eq!(forced(json!({"auto": {}})), Ok(None));
        assert_eq!(forced(Value::Null), Ok(None));
    }

    #[test]
    fn a_choice_of_nothing_is_refused() {
        let message = |choice| forced(choice).unwrap_err();
        assert!(message(json!({"tool": {"name": "three"}})).contains("none of the tools"));
        assert!(message(json!({"tool": {}})).contains("Value null at 'toolConfig.toolChoice.tool.name'"));
        assert!(message(json!({})).contains("must set one of the following keys"));
        assert!(message(json!({"any": {}, "auto": {}})).contains("must set one of the following keys"));
    }
}
