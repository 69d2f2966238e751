/*
 * vkprobe does small things with Vulkan 1.3 without a window and writes what came out of each to DIR/SCENE.raw, so that
 * two implementations can be compared. Arguments as for glprobe; the first device is taken, unless --cpu asks for a
 * software one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#include "add_comp.h"
#include "triangle_frag.h"
#include "triangle_vert.h"

#define SIDE   256u
#define BYTES  (SIDE * SIDE * 4)
#define FORMAT VK_FORMAT_R8G8B8A8_UNORM

#define CHECK(call)                                                                                                    \
    do {                                                                                                               \
        VkResult check_result = (call);                                                                                \
        if (check_result) {                                                                                            \
            fprintf(stderr, "vkprobe: %s: %d\n", #call, check_result);                                                 \
            exit(2);                                                                                                   \
        }                                                                                                              \
    } while (0)

static VkPhysicalDevice physical;
static VkPhysicalDeviceMemoryProperties memories;
static VkDevice device;
static VkQueue queue;
static VkCommandPool pool;
static VkCommandBuffer cmd;

struct buffer {
    VkBuffer buffer;
    uint32_t *map;
};
static struct buffer in, out; /* of each scene: a pattern, zeros */

/* ---- tools */

static VkDeviceMemory allocate(VkMemoryRequirements need, VkMemoryPropertyFlags flags)
{
    for (uint32_t i = 0; i < memories.memoryTypeCount; i++) {
        if (!(need.memoryTypeBits >> i & 1) || (memories.memoryTypes[i].propertyFlags & flags) != flags)
            continue;
        VkMemoryAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = need.size, .memoryTypeIndex = i};
        VkDeviceMemory m;

        CHECK(vkAllocateMemory(device, &info, NULL, &m));
        return m;
    }
    fprintf(stderr, "vkprobe: no such memory\n");
    exit(2);
}

static struct buffer make_buffer(void)
{
    const VkBufferUsageFlags usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
                                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT;
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = BYTES, .usage = usage};
    VkMemoryRequirements need;
    struct buffer b;

    CHECK(vkCreateBuffer(device, &info, NULL, &b.buffer));
    vkGetBufferMemoryRequirements(device, b.buffer, &need);
    VkDeviceMemory m = allocate(need, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);

    CHECK(vkBindBufferMemory(device, b.buffer, m, 0));
    CHECK(vkMapMemory(device, m, 0, BYTES, 0, (void **)&b.map));
    return b;
}

static void barrier(VkImage image, VkImageLayout from)
{
    VkImageMemoryBarrier b = {.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                              .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
                              .oldLayout = from,
                              .newLayout = VK_IMAGE_LAYOUT_GENERAL,
                              .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                              .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
                              .image = image,
                              .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1}};

    vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0,
                         NULL, 1, &b);
}

static void memory_barrier(void)
{
    VkMemoryBarrier b = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                         .srcAccessMask = VK_ACCESS_MEMORY_WRITE_BIT,
                         .dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};

    vkCmdPipelineBarrier(cmd, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 1, &b, 0, NULL,
                         0, NULL);
}

static VkImage make_image(void)
{
    VkImageCreateInfo info = {.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                              .imageType = VK_IMAGE_TYPE_2D,
                              .format = FORMAT,
                              .extent = {SIDE, SIDE, 1},
                              .mipLevels = 1,
                              .arrayLayers = 1,
                              .samples = VK_SAMPLE_COUNT_1_BIT,
                              .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                                       VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT};
    VkMemoryRequirements need;
    VkImage image;

    CHECK(vkCreateImage(device, &info, NULL, &image));
    vkGetImageMemoryRequirements(device, image, &need);
    CHECK(vkBindImageMemory(device, image, allocate(need, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT), 0));
    barrier(image, VK_IMAGE_LAYOUT_UNDEFINED);
    return image;
}

static const VkImageSubresourceLayers layer = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1};
static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
static const VkBufferImageCopy picture = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                          .imageExtent = {SIDE, SIDE, 1}};

static void clear(VkImage image, float r, float g, float b, float a)
{
    VkClearColorValue c = {.float32 = {r, g, b, a}};

    vkCmdClearColorImage(cmd, image, VK_IMAGE_LAYOUT_GENERAL, &c, 1, &whole);
    memory_barrier();
}

static void read_back(VkImage image)
{
    memory_barrier();
    vkCmdCopyImageToBuffer(cmd, image, VK_IMAGE_LAYOUT_GENERAL, out.buffer, 1, &picture);
}

static VkPipelineShaderStageCreateInfo stage(VkShaderStageFlagBits kind, const uint32_t *code, size_t size)
{
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
    VkPipelineShaderStageCreateInfo s = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = kind, .pName = "main"};

    CHECK(vkCreateShaderModule(device, &info, NULL, &s.module));
    return s;
}

/* ---- scenes: record commands */

static void fill(void)
{
    static const uint32_t small[4] = {1, 2, 3, 4};

    vkCmdFillBuffer(cmd, out.buffer, 256, 4096, 0xdeadbeef);
    vkCmdUpdateBuffer(cmd, out.buffer, 0, sizeof(small), small);
}

static void copy_buffer(void)
{
    VkBufferCopy regions[] = {{0, 4096, 32768}, {100, 60000, 13}};

    vkCmdCopyBuffer(cmd, in.buffer, out.buffer, 2, regions);
}

static void clear_image(void)
{
    VkImage i = make_image();

    clear(i, 0.25f, 0.5f, 0.75f, 1);
    read_back(i);
}

static void copy_image(void)
{
    VkImage i = make_image(), j = make_image();
    VkImageCopy region = {layer, {3, 5, 0}, layer, {16, 20, 0}, {100, 64, 1}};

    clear(j, 0, 0, 1, 0);
    vkCmdCopyBufferToImage(cmd, in.buffer, i, VK_IMAGE_LAYOUT_GENERAL, 1, &picture);
    memory_barrier();
    vkCmdCopyImage(cmd, i, VK_IMAGE_LAYOUT_GENERAL, j, VK_IMAGE_LAYOUT_GENERAL, 1, &region);
    read_back(j);
}

static void blit_image(void)
{
    VkImage i = make_image(), j = make_image();
    VkImageBlit region = {layer, {{0, 0, 0}, {128, 128, 1}}, layer, {{10, 20, 0}, {201, 183, 1}}};

    clear(j, 0, 0, 0, 1);
    vkCmdCopyBufferToImage(cmd, in.buffer, i, VK_IMAGE_LAYOUT_GENERAL, 1, &picture);
    memory_barrier();
    vkCmdBlitImage(cmd, i, VK_IMAGE_LAYOUT_GENERAL, j, VK_IMAGE_LAYOUT_GENERAL, 1, &region, VK_FILTER_NEAREST);
    read_back(j);
}

static VkDescriptorSet buffers_set(VkDescriptorSetLayout layout)
{
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
    VkDescriptorPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size};
    VkDescriptorBufferInfo buffers[2] = {{in.buffer, 0, BYTES}, {out.buffer, 0, BYTES}};
    VkDescriptorSet set;
    VkDescriptorPool p;

    CHECK(vkCreateDescriptorPool(device, &pool_info, NULL, &p));
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = p,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &layout};

    CHECK(vkAllocateDescriptorSets(device, &info, &set));
    VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                  .dstSet = set,
                                  .descriptorCount = 2,
                                  .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                  .pBufferInfo = buffers};

    vkUpdateDescriptorSets(device, 1, &write, 0, NULL);
    return set;
}

static void bind_compute(void)
{
    VkDescriptorSetLayoutBinding bindings[2] = {
        {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL}};
    VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = 2, .pBindings = bindings};
    VkPipelineLayoutCreateInfo layout_info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                              .setLayoutCount = 1};
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
    VkDescriptorSetLayout set_layout;
    VkPipeline pipeline;

    CHECK(vkCreateDescriptorSetLayout(device, &set_info, NULL, &set_layout));
    layout_info.pSetLayouts = &set_layout;
    CHECK(vkCreatePipelineLayout(device, &layout_info, NULL, &info.layout));
    info.stage = stage(VK_SHADER_STAGE_COMPUTE_BIT, add_comp, sizeof(add_comp));
    CHECK(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    VkDescriptorSet set = buffers_set(set_layout);

    vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(cmd, VK_PIPELINE_BIND_POINT_COMPUTE, info.layout, 0, 1, &set, 0, NULL);
}

static void compute(void)
{
    bind_compute();
    vkCmdDispatch(cmd, 16, 1, 1);
}

static void compute_indirect(void)
{
    bind_compute();
    in.map[8192] = 4;
    in.map[8193] = 1;
    in.map[8194] = 1;
    vkCmdDispatchIndirect(cmd, in.buffer, 4 * 8192);
}

static VkPipeline make_pipeline(void)
{
    VkPipelineShaderStageCreateInfo stages[2] = {
        stage(VK_SHADER_STAGE_VERTEX_BIT, triangle_vert, sizeof(triangle_vert)),
        stage(VK_SHADER_STAGE_FRAGMENT_BIT, triangle_frag, sizeof(triangle_frag))};
    VkPipelineVertexInputStateCreateInfo input = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO};
    VkPipelineInputAssemblyStateCreateInfo assembly = {.sType =
                                                           VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
                                                       .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST};
    VkViewport viewport = {0, 0, SIDE, SIDE, 0, 1};
    VkRect2D scissor = {{0, 0}, {SIDE, SIDE}};
    VkPipelineViewportStateCreateInfo viewports = {.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
                                                   .viewportCount = 1,
                                                   .pViewports = &viewport,
                                                   .scissorCount = 1,
                                                   .pScissors = &scissor};
    VkPipelineRasterizationStateCreateInfo raster = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO, .lineWidth = 1};
    VkPipelineMultisampleStateCreateInfo samples = {.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
                                                    .rasterizationSamples = VK_SAMPLE_COUNT_1_BIT};
    VkPipelineColorBlendAttachmentState attachment = {.colorWriteMask = 15};
    VkPipelineColorBlendStateCreateInfo blend = {.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
                                                 .attachmentCount = 1,
                                                 .pAttachments = &attachment};
    VkFormat format = FORMAT;
    VkPipelineRenderingCreateInfo rendering = {.sType = VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO,
                                               .colorAttachmentCount = 1,
                                               .pColorAttachmentFormats = &format};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
    VkGraphicsPipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
                                         .pNext = &rendering,
                                         .stageCount = 2,
                                         .pStages = stages,
                                         .pVertexInputState = &input,
                                         .pInputAssemblyState = &assembly,
                                         .pViewportState = &viewports,
                                         .pRasterizationState = &raster,
                                         .pMultisampleState = &samples,
                                         .pColorBlendState = &blend};
    VkPipeline pipeline;

    CHECK(vkCreatePipelineLayout(device, &layout, NULL, &info.layout));
    CHECK(vkCreateGraphicsPipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    return pipeline;
}

static void triangle(void)
{
    VkImage image = make_image();
    VkImageViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                                  .image = image,
                                  .viewType = VK_IMAGE_VIEW_TYPE_2D,
                                  .format = FORMAT,
                                  .subresourceRange = whole};
    VkRenderingAttachmentInfo attachment = {.sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                            .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
                                            .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                            .storeOp = VK_ATTACHMENT_STORE_OP_STORE};
    VkRenderingInfo rendering = {.sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                                 .renderArea = {{0, 0}, {SIDE, SIDE}},
                                 .layerCount = 1,
                                 .colorAttachmentCount = 1,
                                 .pColorAttachments = &attachment};

    CHECK(vkCreateImageView(device, &view, NULL, &attachment.imageView));
    vkCmdBeginRendering(cmd, &rendering);
    vkCmdBindPipeline(cmd, VK_PIPELINE_BIND_POINT_GRAPHICS, make_pipeline());
    vkCmdDraw(cmd, 3, 1, 0, 0);
    vkCmdEndRendering(cmd);
    read_back(image);
}

/* The numbers differ from run to run; that they ascend does not. */
static VkQueryPool stamps;
static void timestamps(void)
{
    VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};

    CHECK(vkCreateQueryPool(device, &info, NULL, &stamps));
    vkCmdResetQueryPool(cmd, stamps, 0, 2);
    vkCmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, stamps, 0);
    vkCmdFillBuffer(cmd, out.buffer, 64, 1024, 7);
    memory_barrier();
    vkCmdWriteTimestamp(cmd, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, stamps, 1);
}

static void timestamps_after(void)
{
    uint64_t t[2] = {0, 0};

    CHECK(vkGetQueryPoolResults(device, stamps, 0, 2, sizeof(t), t, 8,
                                VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    out.map[0] = t[0] && t[1] >= t[0];
}

static void many(void)
{
    for (uint32_t i = 0; i < 60; i++)
        vkCmdFillBuffer(cmd, out.buffer, 256 * i, 64, i);
}

static void secondary(void)
{
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .commandPool = pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_SECONDARY,
                                        .commandBufferCount = 1};
    VkCommandBufferInheritanceInfo inherit = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO};
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT,
                                      .pInheritanceInfo = &inherit};
    VkCommandBuffer c;

    CHECK(vkAllocateCommandBuffers(device, &info, &c));
    CHECK(vkBeginCommandBuffer(c, &begin));
    for (uint32_t i = 0; i < 4; i++)
        vkCmdFillBuffer(c, out.buffer, 256 * i, 64, i + 5);
    CHECK(vkEndCommandBuffer(c));
    vkCmdExecuteCommands(cmd, 1, &c);
}

static const struct scene {
    const char *name;
    void (*record)(void);
    int tolerance;
    void (*after)(void);
} scenes[] = {
    {"fill", fill, 0, NULL},
    {"copy_buffer", copy_buffer, 0, NULL},
    {"clear_image", clear_image, 1, NULL},
    {"copy_image", copy_image, 0, NULL},
    {"blit_image", blit_image, 0, NULL},
    {"compute", compute, 0, NULL},
    {"compute_indirect", compute_indirect, 0, NULL},
    {"triangle", triangle, 1, NULL},
    {"timestamps", timestamps, 0, timestamps_after},
    {"many", many, 0, NULL},
    {"secondary", secondary, 0, NULL},
};

/* ---- */

static void open_device(bool cpu)
{
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo instance_info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
    float priority = 1;
    VkDeviceQueueCreateInfo queue_info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkPhysicalDeviceVulkan13Features features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                                 .dynamicRendering = VK_TRUE};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &features,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue_info};
    VkPhysicalDeviceProperties properties;
    VkPhysicalDevice all[8];
    VkInstance instance;
    uint32_t n = 8;

    CHECK(vkCreateInstance(&instance_info, NULL, &instance));
    CHECK(vkEnumeratePhysicalDevices(instance, &n, all));
    for (uint32_t i = 0; i < n && !physical; i++) {
        vkGetPhysicalDeviceProperties(all[i], &properties);
        if (cpu == (properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU))
            physical = all[i];
    }
    if (!physical) {
        fprintf(stderr, "vkprobe: no such device\n");
        exit(2);
    }
    printf("renderer: %s\n", properties.deviceName);
    vkGetPhysicalDeviceMemoryProperties(physical, &memories);
    CHECK(vkCreateDevice(physical, &info, NULL, &device));
    vkGetDeviceQueue(device, 0, 0, &queue);
}

static void run_scene(const struct scene *s, const char *dir)
{
    VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                        .commandBufferCount = 1};
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &cmd};
    VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence;
    char path[1024];

    CHECK(vkCreateCommandPool(device, &pool_info, NULL, &pool));
    info.commandPool = pool;
    CHECK(vkAllocateCommandBuffers(device, &info, &cmd));
    CHECK(vkBeginCommandBuffer(cmd, &begin));
    in = make_buffer();
    out = make_buffer();
    for (uint32_t i = 0; i < BYTES / 4; i++)
        in.map[i] = i * 2654435761u;
    memset(out.map, 0, BYTES);
    s->record();
    CHECK(vkEndCommandBuffer(cmd));
    CHECK(vkCreateFence(device, &fence_info, NULL, &fence));
    CHECK(vkQueueSubmit(queue, 1, &submit, fence));
    CHECK(vkWaitForFences(device, 1, &fence, VK_TRUE, 60000000000u));
    if (s->after)
        s->after();
    snprintf(path, sizeof(path), "%s/%s.raw", dir, s->name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(out.map, 1, BYTES, f) != BYTES || fclose(f)) {
        fprintf(stderr, "vkprobe: %s cannot be written\n", path);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    bool cpu = argc > 1 && !strcmp(argv[1], "--cpu");
    char **names = argv + 1 + cpu;

    if (!*names) {
        fprintf(stderr, "Usage: vkprobe [--cpu] DIR [SCENE...]\n       vkprobe --list\n");
        return 2;
    }
    bool list = !strcmp(*names, "--list");
    const char *dir = *names++;

    if (!list)
        open_device(cpu);
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        bool chosen = !*names;

        for (char **n = names; *n; n++)
            chosen |= !strcmp(*n, scenes[i].name);
        if (chosen && list)
            printf("%s %d 0\n", scenes[i].name, scenes[i].tolerance);
        else if (chosen)
            run_scene(&scenes[i], dir);
    }
    return 0;
}
