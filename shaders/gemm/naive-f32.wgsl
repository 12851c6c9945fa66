// c = a * b: one dot product per invocation.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

@compute @workgroup_size({{ WX }}, {{ WY }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let col = id.x;
    let row = id.y;
{% if n % WX != 0 or m % WY != 0 %}
    if (row >= {{ m }}u || col >= {{ n }}u) {
        return;
    }
{% endif %}
    var sum = 0.0;
    for (var i = 0u; i < {{ k }}u; i++) {
        sum = fma(a[row * {{ k }}u + i], b[i * {{ n }}u + col], sum);
    }
    c[row * {{ n }}u + col] = sum;
}
