// o = softmax(q * k^T / sqrt(dim)) * v for one query per head. {{ teams }} team(s) of {{ split }} lane(s) take every
// {{ teams }}th key; each team keeps a running maximum, sum and output, and the teams are merged at the end.
{% set wide = dim % 4 == 0 %}
{% set type = "vec4<f32>" if wide else "f32" %}
{% set full = context // (teams * KEYS) %}
{% set rest = context % (teams * KEYS) %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};

@group(0) @binding(0) var<storage, read> q: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> k: array<{{ type }}>;
@group(0) @binding(2) var<storage, read> v: array<{{ type }}>;
@group(0) @binding(3) var<storage, read_write> o: array<{{ type }}>;

{% if split > 1 %}
// Parts of scores, in two halves that alternate, so that one barrier per step is enough.
var<workgroup> parts: array<f32, {{ 2 * threads * KEYS }}>;
{% endif %}
{% if teams > 1 %}
var<workgroup> team_highest: array<f32, {{ teams }}>;
var<workgroup> team_sum: array<f32, {{ teams }}>;
var<workgroup> team_o: array<vec4<f32>, {{ teams * d4 }}>;
{% endif %}

{% for name in ["q", "k", "v"] %}
// Four elements of row `row` of {{ name }}, from dimension 4 * `at`.
fn load_{{ name }}(row: u32, at: u32) -> vec4<f32> {
{% if wide %}
    return {{ name }}[row * {{ d4 }}u + at];
{% else %}
    let start = row * {{ dim }}u;
    let first = 4u * at;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, {{ name }}[start + min(first + {{ i }}u, {{ dim - 1 }}u)], first + {{ i }}u < {{ dim }}u),
{% endfor %}
    );
{% endif %}
}

{% endfor %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
{% if wide %}
    o[row * {{ d4 }}u + at] = value;
{% else %}
    let first = 4u * at;
    let start = row * {{ dim }}u + first;
{% for part in ["x", "y", "z", "w"] %}
    if (first + {{ loop.index0 }}u < {{ dim }}u) {
        o[start + {{ loop.index0 }}u] = value.{{ part }};
    }
{% endfor %}
{% endif %}
}
{# Index of this lane's vec4 number e. #}
{% macro at(e) %}{% if split > 1 %}lane + {{ e * split }}u{% else %}{{ e }}u{% endif %}{% endmacro %}
{# One key per team and j; masked where a key may lie past the end of the cache. #}
{% macro step(masked) %}
{% for j in range(KEYS) %}
        let key{{ j }} = base + {{ j * teams }}u + team;
        let row{{ j }} = kv_row + {% if masked %}min(key{{ j }}, {{ context - 1 }}u){% else %}key{{ j }}{% endif %};
        var dot{{ j }} = q_0 * load_k(row{{ j }}, {{ at(0) }});
{% for e in range(1, own) %}
        dot{{ j }} = fma(q_{{ e }}, load_k(row{{ j }}, {{ at(e) }}), dot{{ j }});
{% endfor %}
        var score{{ j }} = dot(dot{{ j }}, vec4<f32>(1.0));
{% endfor %}
{% if split > 1 %}
{% for j in range(KEYS) %}
        parts[half + {{ j * threads }}u + id] = score{{ j }};
{% endfor %}
        workgroupBarrier();
{% for j in range(KEYS) %}
        score{{ j }} = {% for s in range(split) %}{{ " + " if not loop.first }}parts[half + {{ j * threads + s }}u + id - lane]{% endfor %};
{% endfor %}
        half = {{ threads * KEYS }}u - half;
{% endif %}
{% if masked %}
{% for j in range(KEYS) %}
        score{{ j }} = select(LOWEST, score{{ j }}, key{{ j }} < {{ context }}u);
{% endfor %}
{% endif %}
        let top = {% for j in range(KEYS) %}max(score{{ j }}, {% endfor %}highest{{ ")" * KEYS }};
        let shrink = exp2(highest - top);
        highest = top;
        sum *= shrink;
{% for j in range(KEYS) %}
        let weight{{ j }} = exp2(score{{ j }} - top);
        sum += weight{{ j }};
{% endfor %}
{% for e in range(own) %}
        o_{{ e }} *= shrink;
{% endfor %}
{% for j in range(KEYS) %}
{% for e in range(own) %}
        o_{{ e }} = fma(vec4<f32>(weight{{ j }}), load_v(row{{ j }}, {{ at(e) }}), o_{{ e }});
{% endfor %}
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
{% if split > 1 %}
    let lane = id % {{ split }}u;
    let team = id / {{ split }}u;
    var half = 0u;
{% else %}
    let team = id;
{% endif %}
    let q_row = group.y * {{ heads }}u + group.x;
    let kv_row = (group.y * {{ kv_heads }}u + group.x / {{ heads // kv_heads }}u) * {{ context }}u;
    var highest = LOWEST;
    var sum = 0.0;
{% for e in range(own) %}
    let q_{{ e }} = load_q(q_row, {{ at(e) }}) * SCALE;
    var o_{{ e }} = vec4<f32>();
{% endfor %}

{% if full > 0 %}
    for (var base = 0u; base < {{ full * teams * KEYS }}u; base += {{ teams * KEYS }}u) {
{{ step(false) }}    }
{% endif %}
{% if rest != 0 %}
    {
        let base = {{ full * teams * KEYS }}u;
{{ step(true) }}    }
{% endif %}

{% if teams > 1 %}
{% if split > 1 %}
    if (lane == 0u) {
        team_highest[team] = highest;
        team_sum[team] = sum;
    }
{% else %}
    team_highest[team] = highest;
    team_sum[team] = sum;
{% endif %}
    workgroupBarrier();
    // A team without a key has the lowest maximum, so its share is 0; the first team always has one.
    var top = team_highest[0];
    for (var i = 1u; i < {{ teams }}u; i++) {
        top = max(top, team_highest[i]);
    }
    var total = 0.0;
    for (var i = 0u; i < {{ teams }}u; i++) {
        total = fma(team_sum[i], exp2(team_highest[i] - top), total);
    }
    let share = exp2(highest - top) / total;
{% for e in range(own) %}
    team_o[team * {{ d4 }}u + {{ at(e) }}] = o_{{ e }} * share;
{% endfor %}
    workgroupBarrier();
    for (var at = id; at < {{ d4 }}u; at += {{ threads }}u) {
        var value = team_o[at];
        for (var i = 1u; i < {{ teams }}u; i++) {
            value += team_o[i * {{ d4 }}u + at];
        }
        store_o(q_row, at, value);
    }
{% else %}
    let share = 1.0 / sum;
{% for e in range(own) %}
    store_o(q_row, {{ at(e) }}, o_{{ e }} * share);
{% endfor %}
{% endif %}
}
