{# Rotates and moves one unit of {{ PER }} head(s) of a token; group.z says whose heads. The including file sets `half`. The
   table's unit is read once for all of them. #}
{% set type = "vec" ~ unit ~ "<f32>" %}
{% set stored = type if not half else "vec" ~ unit ~ "<f16>" %}
{% set items = batch * tokens * units %}
{% set ragged = items != groups * WG or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> q: array<{{ stored }}>;
@group(0) @binding(1) var<storage, read> k: array<{{ stored }}>;
@group(0) @binding(2) var<storage, read> v: array<{{ stored }}>;
@group(0) @binding(3) var<storage, read> table: array<{{ type }}>;
@group(0) @binding(4) var<storage, read_write> q_out: array<{{ stored }}>;
@group(0) @binding(5) var<storage, read_write> k_rows: array<{{ stored }}>;
@group(0) @binding(6) var<storage, read_write> v_rows: array<{{ stored }}>;

// `turn` holds cosine and sine of each pair.
fn rotated(pairs: {{ type }}, turn: {{ type }}) -> {{ type }} {
{% if unit == 4 %}
    return fma(vec4<f32>(-pairs.y, pairs.x, -pairs.w, pairs.z), turn.yyww, pairs * turn.xxzz);
{% else %}
    return fma(vec2<f32>(-pairs.y, pairs.x), turn.yy, pairs * turn.xx);
{% endif %}
}
{# Moves PER heads of `source` to `target`; `count` heads there are, and the first group of them is number `before`. #}
{% macro move(source, target, count, before, turned) %}
        let head = {% if before == 0 %}group.z{% else %}(group.z - {{ before }}u){% endif %} * {{ PER }}u;
        let from_here = (sequence_token * {{ count }}u + head) * {{ units }}u + unit;
        let to_here = ((sequence * {{ count }}u + head) * {{ tokens }}u + token) * {{ units }}u + unit;
{% for p in range(min(PER, count)) %}
{% set guarded = ragged or count % PER != 0 and p > 0 %}
{% set value = source ~ "[from_here + " ~ p * units ~ "u]" %}
{% if guarded %}
        if ({{ "at < " ~ items ~ "u" if ragged }}{{ " && " if ragged and count % PER != 0 and p > 0 }}{% if count % PER != 0 and p > 0 %}head + {{ p }}u < {{ count }}u{% endif %}) {
{% else %}
        {
{% endif %}
{% if not turned %}
            {{ target }}[to_here + {{ p * tokens * units }}u] = {{ value }};
{% elif half %}
            {{ target }}[to_here + {{ p * tokens * units }}u] = {{ stored }}(rotated({{ type }}({{ value }}), turn));
{% else %}
            {{ target }}[to_here + {{ p * tokens * units }}u] = rotated({{ value }}, turn);
{% endif %}
        }
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG }}u + lane;
    let own = {% if ragged %}min(at, {{ items - 1 }}u){% else %}at{% endif %};
    let unit = own % {{ units }}u;
    let sequence_token = own / {{ units }}u;
    let sequence = sequence_token / {{ tokens }}u;
    let token = sequence_token % {{ tokens }}u;
    if (group.z < {{ q_groups }}u) {
        let turn = table[token * {{ units }}u + unit];
{{ move("q", "q_out", heads, 0, true) }}    } else if (group.z < {{ q_groups + kv_groups }}u) {
        let turn = table[token * {{ units }}u + unit];
{{ move("k", "k_rows", kv_heads, q_groups, true) }}    } else {
{{ move("v", "v_rows", kv_heads, q_groups + kv_groups, false) }}    }
}
