// o = softmax(q * k^T / sqrt(dim)) * v for one query per head. A workgroup takes {{ chunk }} keys of one key-value head for
// {{ own_heads }} of the {{ group }} query heads that share it, so that each key and value is read once for all of them.
// {{ teams }} team(s) of {{ split }} lane(s) take every {{ teams }}th key with a running maximum, sum and output of their
// own. {{ "The " ~ parts ~ " parts of the context are merged by a second stage." if parts > 1 else "The whole context is one part, so no second stage is needed." }}
{% set wide = dim % unit == 0 %}
{% set type = "vec4<f32>" if element_bytes == 4 else ("Half8" if unit == 8 else "vec4<f16>") %}
{% set scalar = "f32" if element_bytes == 4 else "f16" %}
{% set storage = type if wide else scalar %}
{% set own4 = own * unit // 4 %}
{% set pack = unit // 4 %}
{% set step = teams * KEYS %}
{% set rest = context % step %}
{% set even = group % own_heads == 0 %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};
{% if storage == "Half8" %}

// 16 bytes.
struct Half8 {
    low: vec4<f16>,
    high: vec4<f16>,
}
{% endif %}

@group(0) @binding(0) var<storage, read> q: array<{{ storage }}>;
@group(0) @binding(1) var<storage, read> k: array<{{ storage }}>;
@group(0) @binding(2) var<storage, read> v: array<{{ storage }}>;
@group(0) @binding(3) var<storage, read_write> o: array<{{ storage }}>;
{% if parts > 1 %}
// Output, not yet divided by the sum, of each query and part; and the maximum and the sum that belong to it.
@group(0) @binding(4) var<storage, read_write> part_o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> part_sums: array<vec2<f32>>;
{% endif %}
{% if split > 1 %}

// Parts of scores, in two halves that alternate, so that one barrier per step is enough.
var<workgroup> pieces: array<f32, {{ 2 * threads * KEYS * own_heads }}>;
{% endif %}
{% if teams > 1 %}

var<workgroup> team_highest: array<f32, {{ teams }}>;
var<workgroup> team_sum: array<f32, {{ teams }}>;
var<workgroup> team_o: array<vec4<f32>, {{ teams * d4 }}>;
{% endif %}
{% if not wide %}

{% for name in ["q", "k", "v"] %}
// Four elements of row `row` of {{ name }}, from dimension 4 * `at`; 0 past the last.
fn load_{{ name }}(row: u32, at: u32) -> vec4<f32> {
    let start = row * {{ dim }}u;
    let first = 4u * at;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, f32({{ name }}[start + min(first + {{ i }}u, {{ dim - 1 }}u)]), first + {{ i }}u < {{ dim }}u),
{% endfor %}
    );
}

{% endfor %}
{% endif %}
{# Index of this lane's unit number e, and of its vec4 number e. #}
{% macro unit_at(e) %}{% if split > 1 %}lane + {{ e * split }}u{% else %}{{ e }}u{% endif %}{% endmacro %}
{% macro at(e) %}{% if pack == 1 %}{{ unit_at(e) }}{% else %}2u * ({{ unit_at(e // 2) }}) + {{ e % 2 }}u{% endif %}{% endmacro %}
{# This lane's vec4 of a row, as <into>_0, <into>_1 ... #}
{% macro load(name, into, row, indent) %}
{% for e in range(own) %}
{% if not wide %}
{{ indent }}let {{ into }}_{{ e }} = load_{{ name }}({{ row }}, {{ unit_at(e) }});
{% elif pack == 1 %}
{{ indent }}let {{ into }}_{{ e }} = vec4<f32>({{ name }}[{{ row }} * {{ d4 }}u + {{ unit_at(e) }}]);
{% else %}
{{ indent }}let {{ into }}_raw{{ e }} = {{ name }}[{{ row }} * {{ dim // 8 }}u + {{ unit_at(e) }}];
{{ indent }}let {{ into }}_{{ 2 * e }} = vec4<f32>({{ into }}_raw{{ e }}.low);
{{ indent }}let {{ into }}_{{ 2 * e + 1 }} = vec4<f32>({{ into }}_raw{{ e }}.high);
{% endif %}
{% endfor %}
{% endmacro %}
{# One key per team and j, for every head; masked where a key may lie past the end of the cache. #}
{% macro step_keys(masked) %}
{% for j in range(KEYS) %}
        let key{{ j }} = base + {{ j * teams }}u + team;
        let row{{ j }} = kv_row + {% if masked %}min(key{{ j }}, {{ context - 1 }}u){% else %}key{{ j }}{% endif %};
{{ load("k", "k" ~ j, "row" ~ j, "        ") }}
{%- for h in range(own_heads) %}
        var dot{{ h }}_{{ j }} = q{{ h }}_0 * k{{ j }}_0;
{% for e in range(1, own4) %}
        dot{{ h }}_{{ j }} = fma(q{{ h }}_{{ e }}, k{{ j }}_{{ e }}, dot{{ h }}_{{ j }});
{% endfor %}
        var score{{ h }}_{{ j }} = dot(dot{{ h }}_{{ j }}, vec4<f32>(1.0));
{% endfor %}
{% endfor %}
{% if split > 1 %}
{% for h in range(own_heads) %}
{% for j in range(KEYS) %}
        pieces[half + {{ (h * KEYS + j) * threads }}u + id] = score{{ h }}_{{ j }};
{% endfor %}
{% endfor %}
        workgroupBarrier();
{% for h in range(own_heads) %}
{% for j in range(KEYS) %}
        score{{ h }}_{{ j }} = {% for s in range(split) %}{{ " + " if not loop.first }}pieces[half + {{ (h * KEYS + j) * threads + s }}u + id - lane]{% endfor %};
{% endfor %}
{% endfor %}
        half = {{ threads * KEYS * own_heads }}u - half;
{% endif %}
{% for h in range(own_heads) %}
{% if masked %}
{% for j in range(KEYS) %}
        score{{ h }}_{{ j }} = select(LOWEST, score{{ h }}_{{ j }}, key{{ j }} < {{ context }}u);
{% endfor %}
{% endif %}
        let top{{ h }} = {% for j in range(KEYS) %}max(score{{ h }}_{{ j }}, {% endfor %}highest{{ h }}{{ ")" * KEYS }};
        let shrink{{ h }} = exp2(highest{{ h }} - top{{ h }});
        highest{{ h }} = top{{ h }};
        sum{{ h }} *= shrink{{ h }};
{% for j in range(KEYS) %}
        let weight{{ h }}_{{ j }} = exp2(score{{ h }}_{{ j }} - top{{ h }});
        sum{{ h }} += weight{{ h }}_{{ j }};
{% endfor %}
{% for e in range(own4) %}
        o{{ h }}_{{ e }} *= shrink{{ h }};
{% endfor %}
{% endfor %}
{% for j in range(KEYS) %}
{{ load("v", "v" ~ j, "row" ~ j, "        ") }}
{%- for h in range(own_heads) %}
{% for e in range(own4) %}
        o{{ h }}_{{ e }} = fma(vec4<f32>(weight{{ h }}_{{ j }}), v{{ j }}_{{ e }}, o{{ h }}_{{ e }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endmacro %}

// Stores four elements of row `row` of o, from dimension 4 * `at`.
{% if wide and pack == 1 %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
    o[row * {{ d4 }}u + at] = {{ type }}(value);
}
{% elif wide %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
    if (at % 2u == 0u) {
        o[row * {{ dim // 8 }}u + at / 2u].low = vec4<f16>(value);
    } else {
        o[row * {{ dim // 8 }}u + at / 2u].high = vec4<f16>(value);
    }
}
{% else %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
    let first = 4u * at;
    let start = row * {{ dim }}u + first;
{% for axis in ["x", "y", "z", "w"] %}
    if (first + {{ loop.index0 }}u < {{ dim }}u) {
        o[start + {{ loop.index0 }}u] = {{ scalar }}(value.{{ axis }});
    }
{% endfor %}
}
{% endif %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
{% if split > 1 %}
    let lane = id % {{ split }}u;
    let team = id / {{ split }}u;
    var half = 0u;
{% else %}
    let team = id;
{% endif %}
    let kv_head = place.y / {{ blocks }}u;
    let batch = place.z;
    // Of this workgroup's heads, the first within its group.
    let first = place.y % {{ blocks }}u * {{ own_heads }}u;
    let kv_row = (batch * {{ kv_heads }}u + kv_head) * {{ context }}u;
    let q_row = batch * {{ heads }}u + kv_head * {{ group }}u;
{% for h in range(own_heads) %}
    let row_{{ h }} = q_row + {% if even %}first + {{ h }}u{% else %}min(first + {{ h }}u, {{ group - 1 }}u){% endif %};
{{ load("q", "raw" ~ h, "row_" ~ h, "    ") }}
{%- for e in range(own4) %}
    let q{{ h }}_{{ e }} = raw{{ h }}_{{ e }} * SCALE;
    var o{{ h }}_{{ e }} = vec4<f32>();
{% endfor %}
    var highest{{ h }} = LOWEST;
    var sum{{ h }} = 0.0;
{% endfor %}

{% if parts > 1 %}
    let begin = place.x * {{ chunk }}u;
    let end = min(begin + {{ chunk }}u, {{ context - rest }}u);
{% else %}
    let begin = 0u;
    let end = {{ context - rest }}u;
{% endif %}
{% if context >= step %}
    for (var base = begin; base < end; base += {{ step }}u) {
{{ step_keys(false) }}    }
{% endif %}
{% if rest != 0 %}
    // Only the last part has keys left over.
    if (place.x == {{ parts - 1 }}u) {
        let base = {{ context - rest }}u;
{{ step_keys(true) }}    }
{% endif %}

{% for h in range(own_heads) %}
    {
{% if not even %}
        let live = first + {{ h }}u < {{ group }}u;
{% endif %}
{% if teams > 1 %}
{% if split > 1 %}
        if (lane == 0u) {
            team_highest[team] = highest{{ h }};
            team_sum[team] = sum{{ h }};
        }
{% else %}
        team_highest[team] = highest{{ h }};
        team_sum[team] = sum{{ h }};
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
        let share = exp2(highest{{ h }} - top){{ " / total" if parts == 1 }};
{% for e in range(own4) %}
        team_o[team * {{ d4 }}u + {{ at(e) }}] = o{{ h }}_{{ e }} * share;
{% endfor %}
        workgroupBarrier();
        for (var at = id; at < {{ d4 }}u; at += {{ threads }}u) {
            var value = team_o[at];
            for (var i = 1u; i < {{ teams }}u; i++) {
                value += team_o[i * {{ d4 }}u + at];
            }
            {{ "if (live) { " if not even }}{% if parts == 1 %}store_o(row_{{ h }}, at, value);{% else %}part_o[(row_{{ h }} * {{ parts }}u + place.x) * {{ d4 }}u + at] = value;{% endif %}{{ " }" if not even }}
        }
{% else %}
        let top = highest{{ h }};
        let total = sum{{ h }};
{% if not even %}
        if (live) {
{% else %}
        {
{% endif %}
{% for e in range(own4) %}
            {% if parts == 1 %}store_o(row_{{ h }}, {{ at(e) }}, o{{ h }}_{{ e }} / total);{% else %}part_o[(row_{{ h }} * {{ parts }}u + place.x) * {{ d4 }}u + {{ at(e) }}] = o{{ h }}_{{ e }};{% endif %}

{% endfor %}
        }
{% endif %}
{% if parts > 1 %}
        if (id == 0u{{ " && live" if not even }}) {
            part_sums[row_{{ h }} * {{ parts }}u + place.x] = vec2<f32>(top, total);
        }
{% endif %}
{% if teams > 1 and not loop.last %}
        workgroupBarrier();
{% endif %}
    }
{% endfor %}
}
{% if parts > 1 %}

// One query per workgroup: every part's output, weighted by its maximum, over the sum of all.
@compute @workgroup_size({{ columns }}, 1, 1)
fn merge(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let row = place.y * {{ heads }}u + place.x;
    let first = row * {{ parts }}u;
    var top = part_sums[first].x;
    for (var i = 1u; i < {{ parts }}u; i++) {
        top = max(top, part_sums[first + i].x);
    }
    for (var at = id; at < {{ d4 }}u; at += {{ columns }}u) {
        var total = 0.0;
        var value = vec4<f32>();
        for (var i = 0u; i < {{ parts }}u; i++) {
            let own = part_sums[first + i];
            let share = exp2(own.x - top);
            total = fma(own.y, share, total);
            value = fma(part_o[(first + i) * {{ d4 }}u + at], vec4<f32>(share), value);
        }
        store_o(row, at, value / total);
    }
}
{% endif %}
