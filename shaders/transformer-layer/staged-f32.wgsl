// One decoder layer in stages that leave their results in `work`: normalise, project to queries, keys and values, rotate,
// attend, (merge,) project and add x, normalise, project to gate and up, project down and add.
{% set type = "vec4<f32>" if wide else "f32" %}
{% set axes = ["x", "y", "z", "w"] %}
{% set half4 = dim // 8 %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};

@group(0) @binding(0) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> norms: array<{{ type }}>;
@group(0) @binding(2) var<storage, read> w_qkv: array<{{ type }}>;
@group(0) @binding(3) var<storage, read> w_out: array<{{ type }}>;
@group(0) @binding(4) var<storage, read> w_gate_up: array<{{ type }}>;
@group(0) @binding(5) var<storage, read> w_down: array<{{ type }}>;
@group(0) @binding(6) var<storage, read> cache: array<{{ type }}>;
@group(0) @binding(7) var<storage, read> rope: array<{{ type }}>;
@group(0) @binding(8) var<storage, read_write> y: array<{{ type }}>;
@group(0) @binding(9) var<storage, read_write> kv: array<{{ type }}>;
@group(0) @binding(10) var<storage, read_write> work: array<{{ type }}>;
{% if parts > 1 %}
@group(0) @binding(11) var<storage, read_write> part_sums: array<vec2<f32>>;
{% endif %}
{% if NORM > 1 %}

var<workgroup> squares: array<f32, {{ NORM }}>;
{% endif %}
{% if narrow and SLICES > 1 %}

var<workgroup> slices: array<vec4<f32>, {{ LANES * SLICES }}>;
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
{# Four neighbouring elements of a row of `extent` elements, rows `pitch` apart, from element `offset` of the buffer; what is
past the end of the row reads as 0 and is not written. #}
{% macro loader(name, buffer, offset, pitch, extent) %}
fn load_{{ name }}(row: u32, quad: u32) -> vec4<f32> {
{% if wide %}
    return {{ buffer }}[{{ offset // 4 ~ "u + " if offset > 0 }}row * {{ pitch // 4 }}u + quad];
{% else %}
    let start = {{ offset ~ "u + " if offset > 0 }}row * {{ pitch }}u;
    let first = 4u * quad;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, {{ buffer }}[start + min(first + {{ i }}u, {{ extent - 1 }}u)], first + {{ i }}u < {{ extent }}u),
{% endfor %}
    );
{% endif %}
}

{% endmacro %}
{% macro storer(name, buffer, offset, extent) %}
fn store_{{ name }}(row: u32, quad: u32, value: vec4<f32>) {
{% if wide %}
    {{ buffer }}[{{ offset // 4 ~ "u + " if offset > 0 }}row * {{ extent // 4 }}u + quad] = value;
{% else %}
    let start = {{ offset ~ "u + " if offset > 0 }}row * {{ extent }}u;
    let first = 4u * quad;
{% for axis in axes %}
    if (first + {{ loop.index0 }}u < {{ extent }}u) {
        {{ buffer }}[start + first + {{ loop.index0 }}u] = value.{{ axis }};
    }
{% endfor %}
{% endif %}
}

{% endmacro %}

{{ loader("x", "x", 0, d, d) }}
{{- loader("norms", "norms", 0, d, d) }}
{{- loader("w_qkv", "w_qkv", 0, qkv, qkv) }}
{{- loader("w_out", "w_out", 0, d, d) }}
{{- loader("w_gate", "w_gate_up", 0, 2 * f, f) }}
{{- loader("w_up", "w_gate_up", f, 2 * f, f) }}
{{- loader("w_down", "w_down", 0, d, d) }}
{{- loader("cache", "cache", 0, dim, dim) }}
{{- loader("kv", "kv", 0, dim, dim) }}
{{- storer("kv", "kv", 0, dim) }}
{{- storer("y", "y", 0, d) }}
{{- loader("normed", "work", 0, d, d) }}
{{- storer("normed", "work", 0, d) }}
{{- storer("qkv", "work", qkv_at, qkv) }}
{{- loader("q", "work", q_at, dim, dim) }}
{{- loader("out", "work", out_at, hd, hd) }}
{{- storer("head", "work", out_at, dim) }}
{{- loader("mid", "work", mid_at, d, d) }}
{{- storer("mid", "work", mid_at, d) }}
{{- loader("act", "work", act_at, f, f) }}
{{- storer("act", "work", act_at, f) }}
{% if parts > 1 %}
{{- loader("part", "work", part_at, dim, dim) }}
{{- storer("part", "work", part_at, dim) }}
{% endif %}
{% if wide %}
{{- loader("slot", "work", qkv_at, dim, dim) }}
{{- storer("q", "work", q_at, dim) }}
{{- loader("rope", "rope", 0, dim // 2, dim // 2) }}
{% endif %}
// x * sigmoid(x); the exponential may overflow to infinity, then the quotient is 0.
fn silu(value: vec4<f32>) -> vec4<f32> {
    return value / (vec4<f32>(1.0) + exp(-value));
}
{# Root-mean-square normalisation of every row, one workgroup each. #}
{% macro normalise(entry, source, weights) %}

@compute @workgroup_size({{ NORM }}, 1, 1)
fn {{ entry }}(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    // Workgroups beyond the last row of the folded grid repeat it: they write the same values.
    let row = min(place.y * {{ fold_x(n) }}u + place.x, {{ n - 1 }}u);
    var sums = vec4<f32>();
    for (var at = id; at < {{ ceil_div(d, 4) }}u; at += {{ NORM }}u) {
        let value = load_{{ source }}(row, at);
        sums = fma(value, value, sums);
    }
    var sum = dot(sums, vec4<f32>(1.0));
{% if NORM > 1 %}
    squares[id] = sum;
    workgroupBarrier();
    sum = squares[0];
    for (var i = 1u; i < {{ NORM }}u; i++) {
        sum += squares[i];
    }
{% endif %}
    let factor = inverseSqrt(sum / {{ d }}.0 + 1e-5);
    for (var at = id; at < {{ ceil_div(d, 4) }}u; at += {{ NORM }}u) {
        store_normed(row, at, load_{{ source }}(row, at) * factor * load_norms({{ weights }}u, at));
    }
}
{% endmacro %}
{{ normalise("norm_x", "x", 0) }}
{{- normalise("norm_mid", "mid", 1) }}
{# The product of `source` rows with one or two weight matrices; finish_<entry> takes the sums. #}
{% macro product(entry, source, weights, depth, width) %}
{% set k4 = ceil_div(depth, 4) %}
{% set w4 = ceil_div(width, 4) %}
{% set ragged_x = w4 % per_x != 0 %}
{% set ragged_y = n % per_y != 0 %}
{% set quads = SPAN if narrow else COLS %}
{% set stride = LANES if narrow else WX %}
{% set count = n if narrow else rows %}

@compute @workgroup_size({{ lanes_gemm }}, 1, 1)
fn {{ entry }}(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
{% if narrow %}
    let row = 0u;
    let quad = place.x * {{ LANES * SPAN }}u + {{ "id % " ~ LANES ~ "u" if SLICES > 1 else "id" }};
{% else %}
    let row = {{ "place.y" if WY == 1 else "(place.y * " ~ WY ~ "u + id / " ~ WX ~ "u)" }} * {{ rows }}u;
    let quad = place.x * {{ WX * COLS }}u + {{ "id" if WY == 1 else "id % " ~ WX ~ "u" }};
{% endif %}
{% for j in range(quads) %}
    let quad{{ j }} = {% if ragged_x %}min(quad + {{ j * stride }}u, {{ w4 - 1 }}u){% else %}quad + {{ j * stride }}u{% endif %};
{% endfor %}
{% for r in range(count) %}
    let row{{ r }} = {% if ragged_y %}min(row + {{ r }}u, {{ n - 1 }}u){% else %}row + {{ r }}u{% endif %};
{% for j in range(quads) %}
{% for w in weights %}
    var {{ w }}{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}
{% endfor %}

{% if narrow and SLICES > 1 %}
    let slice = id / {{ LANES }}u;
    for (var i = slice; i < {{ k4 }}u; i += {{ SLICES }}u) {
{% else %}
    for (var i = 0u; i < {{ k4 }}u; i++) {
{% endif %}
{% for r in range(count) %}
        let a{{ r }} = load_{{ source }}(row{{ r }}, i);
{% endfor %}
{% for axis in axes %}
        {
            let k = {% if depth % 4 != 0 %}min(4u * i + {{ loop.index0 }}u, {{ depth - 1 }}u){% else %}4u * i + {{ loop.index0 }}u{% endif %};
{% for j in range(quads) %}
{% for w in weights %}
            let {{ w }}_{{ j }} = load_{{ w }}(k, quad{{ j }});
{% endfor %}
{% endfor %}
{% for r in range(count) %}
{% for j in range(quads) %}
{% for w in weights %}
            {{ w }}{{ r }}_{{ j }} = fma(vec4<f32>(a{{ r }}.{{ axis }}), {{ w }}_{{ j }}, {{ w }}{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
        }
{% endfor %}
    }

{% for r in range(count) %}
{% if narrow and SLICES > 1 %}
{% for j in range(quads) %}
{% for w in weights %}
    slices[id] = {{ w }}{{ r }}_{{ j }};
    workgroupBarrier();
    for (var i = 1u; i < {{ SLICES }}u; i++) {
        {{ w }}{{ r }}_{{ j }} += slices[(slice + i) % {{ SLICES }}u * {{ LANES }}u + id % {{ LANES }}u];
    }
    workgroupBarrier();
{% endfor %}
{% endfor %}
{% endif %}
{% for j in range(quads) %}
    if ({{ "slice == 0u" if narrow and SLICES > 1 else "true" }}{{ " && row + " ~ r ~ "u < " ~ n ~ "u" if ragged_y }}{{ " && quad + " ~ j * stride ~ "u < " ~ w4 ~ "u" if ragged_x }}) {
        finish_{{ entry }}(row{{ r }}, quad{{ j }}{% for w in weights %}, {{ w }}{{ r }}_{{ j }}{% endfor %});
    }
{% endfor %}
{% endfor %}
}
{% endmacro %}

fn finish_project_qkv(row: u32, quad: u32, value: vec4<f32>) {
    store_qkv(row, quad, value);
}

fn finish_project_out(row: u32, quad: u32, value: vec4<f32>) {
    store_mid(row, quad, load_x(row, quad) + value);
}

fn finish_project_gate(row: u32, quad: u32, gate: vec4<f32>, up: vec4<f32>) {
    store_act(row, quad, silu(gate) * up);
}

fn finish_project_down(row: u32, quad: u32, value: vec4<f32>) {
    store_y(row, quad, load_mid(row, quad) + value);
}
{{ product("project_qkv", "normed", ["w_qkv"], d, qkv) }}
{{- product("project_out", "out", ["w_out"], hd, d) }}
{{- product("project_gate", "normed", ["w_gate", "w_up"], d, f) }}
{{- product("project_down", "act", ["w_down"], f, d) }}
// Queries and keys turned by their position, queries scaled too; keys and values become rows of their heads.
@compute @workgroup_size({{ NORM }}, 1, 1)
fn rotate(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let number = (place.y * {{ fold_x(pair_groups) }}u + place.x) * {{ NORM }}u + id;
    if (number < {{ pairs }}u) {
{% set each = half4 if wide else dim // 2 %}
        let i = number % {{ each }}u;
        let slot = number / {{ each }}u % {{ slots }}u;
        let row = number / {{ each * slots }}u;
        let token = row % {{ tokens }}u;
{% if wide %}
        let low = load_slot(row * {{ slots }}u + slot, i);
        let high = load_slot(row * {{ slots }}u + slot, i + {{ half4 }}u);
        let cosine = load_rope(2u * token, i);
        let sine = load_rope(2u * token + 1u, i);
{% else %}
        let start = {{ qkv_at }}u + (row * {{ slots }}u + slot) * {{ dim }}u + i;
        let low = work[start];
        let high = work[start + {{ each }}u];
        let cosine = rope[token * {{ dim }}u + i];
        let sine = rope[token * {{ dim }}u + {{ each }}u + i];
{% endif %}
        let turned_low = low * cosine - high * sine;
        let turned_high = high * cosine + low * sine;
        let head = slot - min(slot, {{ heads }}u);
        let is_value = slot >= {{ heads + kv_heads }}u;
        // Rows of keys, then rows of values, by sequence and head.
        let kv_row = (select(0u, {{ (batch - 1) * kv_heads }}u, is_value) + row / {{ tokens }}u * {{ kv_heads }}u + head) * {{ tokens }}u + token;
        if (slot < {{ heads }}u) {
            let q_row = row * {{ heads }}u + slot;
{% if wide %}
            store_q(q_row, i, turned_low * SCALE);
            store_q(q_row, i + {{ half4 }}u, turned_high * SCALE);
        } else {
            store_kv(kv_row, i, select(turned_low, low, is_value));
            store_kv(kv_row, i + {{ half4 }}u, select(turned_high, high, is_value));
{% else %}
            work[{{ q_at }}u + q_row * {{ dim }}u + i] = turned_low * SCALE;
            work[{{ q_at + each }}u + q_row * {{ dim }}u + i] = turned_high * SCALE;
        } else {
            kv[kv_row * {{ dim }}u + i] = select(turned_low, low, is_value);
            kv[kv_row * {{ dim }}u + {{ each }}u + i] = select(turned_high, high, is_value);
{% endif %}
        }
    }
}

// Key or value of a position: cached, or new.
fn load_row(cached: u32, fresh: u32, position: u32, quad: u32) -> vec4<f32> {
{% if past > 0 %}
    if (position < {{ past }}u) {
        return load_cache(cached + position, quad);
    }
    return load_kv(fresh + position - {{ past }}u, quad);
{% else %}
    return load_kv(fresh + position, quad);
{% endif %}
}
{% include "layer_attention.wgsl" %}
