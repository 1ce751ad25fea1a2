# Turns the JSON Schemas of `media-builder schema` into tables for docs/reference/.

def reference: ltrimstr("#/$defs/");
def link: "[\(.)](#\(ascii_downcase))";
def is_text_with_variable: .type == "string" and .pattern == "%[^%]+%";
def is_null: .type == "null";

# The type of a value, in words.
def kind:
    if type == "boolean" then "anything"
    elif ."$ref" == "#/$defs/Node" then "[step](#steps) or [group](#groups)"
    elif ."$ref" then (."$ref" | reference | link)
    elif has("const") then "`\(.const)`"
    elif .enum then (.enum | map("`\(.)`") | join(", "))
    elif .anyOf or .oneOf then
        ((.anyOf // .oneOf) as $all
        | ($all | map(select((is_null or is_text_with_variable) | not) | kind) | unique | join(" or "))
          + (if ($all | any(is_text_with_variable)) then ", or `%VARIABLE%`" else "" end))
    elif (.type | type) == "array" then (.type | map(select(. != "null")) | join(" or "))
    elif .type == "array" then "list of \(.items | kind)"
    elif .type == "object" and (.additionalProperties | type) == "object" then "table of \(.additionalProperties | kind)"
    elif .type == "object" then "table with " + ((.properties // {}) | keys_unsorted | map("`\(.)`") | join(", "))
    else .type // "anything"
    end;

def one_line: (split("\n\n")[0] // "") | gsub("\\s+"; " ") | gsub("\\|"; "\\|");

def default: if has("default") and .default != null and .default != "" and .default != [] and .default != {}
    then " Default: `\(.default | if type == "string" then . else tojson end)`." else "" end;

# A row for each key; the required ones are marked.
def rows($required): to_entries | map(
    .key as $key
    | "| `\($key)`\(if ($required | index($key)) then " (required)" else "" end) | \(.value | kind) | \((.value.description // "") | one_line)\(.value | default) |");

def table($required): if length == 0 then "" else
    (["| key | value | |", "|---|---|---|"] + rows($required) | join("\n")) + "\n" end;

# A definition: a table of keys, a list of words, or a sentence.
def definition($name):
    "### \($name)\n"
    + (if .description then "\n\(.description | one_line)\n" else "" end)
    + (if .properties then "\n" + (.required as $required | .properties | table($required // []))
       elif .oneOf and (.oneOf | all(has("const"))) then
         "\n" + (.oneOf | map("- `\(.const)`: \((.description // "") | one_line)") | join("\n")) + "\n"
       elif .oneOf or .anyOf then
         "\n" + ((.oneOf // .anyOf) | map("- \(kind)\(if type == "object" and .description then ": \(.description | one_line)" else "" end)") | join("\n")) + "\n"
       else "" end);

def definitions: (."$defs" // {}) | to_entries | map(select(.key != "Node") | .key as $name | .value | definition($name))
    | if length == 0 then "" else "\n## Values\n\n" + join("\n") end;

# Variables give what the sequence does not.
def variables: (."x-variables" // []) | if length == 0 then "" else
    "\nWithout the setting, a variable counts\(if any(.variable | contains("#")) then " (`#` counts from 0)" else "" end): "
    + (map("`\(.variable)` for `\(.setting)`") | join(", ")) + ".\n" end;

def steps: ."$defs".Node.oneOf as $nodes
    | ($nodes | map(select(.properties.type))) as $steps
    # What every step has is said once.
    | ($steps | map(.properties | keys) | reduce .[1:][] as $keys (.[0]; . - (. - $keys))) as $common
    | "\n## Groups\n\n" + ($nodes[] | select(.properties.group) | .required as $required | .properties | table($required))
    + "\n## What all steps have\n\n"
    + ($steps[0].properties | with_entries(select(.key as $key | $common | index($key))) | del(.type) | table([]))
    + "\n## Steps\n\n"
    + ($steps | map(
        "### \(.properties.type.const)\n\n*\(.title)*. \(.description // "" | one_line)\n"
        + (.required as $required | .properties | with_entries(select(.key as $key | ($common | index($key)) | not))
           | table($required) | if . == "" then "" else "\n" + . end) + variables) | join("\n"));

(.required as $required | .properties | table($required // []))
+ (if ."$defs".Node then steps else "" end)
+ definitions
