#version 450
layout(location = 0) out vec3 colour;
void main()
{
    vec2 p = vec2(gl_VertexIndex == 1 ? 0.8 : gl_VertexIndex == 2 ? 0.0 : -0.8, gl_VertexIndex == 2 ? 0.8 : -0.8);
    gl_Position = vec4(p, 0.5, 1.0);
    colour = vec3(p * 0.5 + 0.5, 0.25);
}
