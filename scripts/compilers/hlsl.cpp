// Microsoft's compilers of HLSL: `hlsl.exe dxc|fxc FILE..`, with the options that wgpu-hal 30 gives them
// (dx12/shader_compilation.rs). The libraries lie beside the program. Prints the library's version, then a line for each file: its
// name, a tab, and the complaint if it is refused.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <d3dcompiler.h>
#include <windows.h>

using Text = std::string;

// The beginnings of DXC's interfaces. IDxcBlob has the methods of ID3DBlob.
struct Result : IUnknown {
    virtual HRESULT WINAPI GetStatus(HRESULT *) = 0;
    virtual HRESULT WINAPI GetResult(ID3DBlob **) = 0;
    virtual HRESULT WINAPI GetErrorBuffer(ID3DBlob **) = 0;
};
struct Source { const void *text; SIZE_T size; UINT encoding; };
struct Dxc : IUnknown {
    virtual HRESULT WINAPI Compile(const Source *, const wchar_t **, UINT32, IUnknown *, REFIID, void **) = 0;
};
const GUID COMPILER = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
const GUID COMPILER3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};

Text text_of(ID3DBlob *blob) {
    return blob ? Text((const char *)blob->GetBufferPointer(), blob->GetBufferSize()) : Text();
}

// What DXC says against a text; nothing if it compiles.
Text dxc(Dxc *compiler, const Text &hlsl, const Text &entry) {
    std::wstring name(entry.begin(), entry.end());
    const wchar_t *options[] = {
        L"-E", name.c_str(), L"-T", L"cs_6_2", L"-HV", L"2018", L"-no-warnings", L"-Ges", L"-enable-16bit-types",
    };
    Source source = {hlsl.data(), hlsl.size(), 65001};
    Result *result = nullptr;
    if (compiler->Compile(&source, options, std::size(options), nullptr, RESULT, (void **)&result)) return "no result";
    HRESULT status = E_FAIL;
    ID3DBlob *errors = nullptr;
    result->GetStatus(&status);
    result->GetErrorBuffer(&errors);
    Text said = text_of(errors);
    return said.empty() && status ? "failed without a message" : said;
}

Text fxc(decltype(&D3DCompile) compile, const Text &hlsl, const Text &entry) {
    ID3DBlob *code = nullptr, *errors = nullptr;
    UINT flags = D3DCOMPILE_ENABLE_STRICTNESS;
    const char *name = entry.c_str();
    HRESULT status = compile(hlsl.data(), hlsl.size(), nullptr, nullptr, nullptr, name, "cs_5_1", flags, 0, &code, &errors);
    Text said = status ? text_of(errors) : Text(); // otherwise these are warnings
    return said.empty() && status ? "failed without a message" : said;
}

// The first error, or else the first line.
Text first_line(const Text &said) {
    size_t error = said.find("error"), line = error == Text::npos ? 0 : said.rfind('\n', error) + 1;
    Text first = said.substr(line, said.find_first_of("\r\n", line) - line);
    for (char &c : first) if (c == '\t') c = ' ';
    return first;
}

Text version_of(const char *library) {
    Text data(GetFileVersionInfoSizeA(library, nullptr), 0);
    VS_FIXEDFILEINFO *info = nullptr;
    UINT size = 0;
    bool read = GetFileVersionInfoA(library, 0, data.size(), data.data());
    if (!read || !VerQueryValueA(data.data(), "\\", (void **)&info, &size)) return "unknown";
    auto part = [](DWORD two) { return std::to_string(HIWORD(two)) + "." + std::to_string(LOWORD(two)); };
    return part(info->dwFileVersionMS) + "." + part(info->dwFileVersionLS);
}

int main(int argc, char **argv) {
    bool is_dxc = argc > 1 && Text(argv[1]) == "dxc";
    const char *library = is_dxc ? "dxcompiler.dll" : "d3dcompiler_47.dll";
    HMODULE loaded = LoadLibraryA(library);
    auto symbol = loaded ? GetProcAddress(loaded, is_dxc ? "DxcCreateInstance" : "D3DCompile") : nullptr;
    Dxc *compiler = nullptr;
    auto create = (HRESULT(WINAPI *)(const GUID *, const GUID *, void **))symbol;
    if (!symbol || (is_dxc && create(&COMPILER, &COMPILER3, (void **)&compiler))) {
        fprintf(stderr, "%s cannot be loaded\n", library);
        return 2;
    }
    printf("%s\n", version_of(library).c_str());
    for (int k = 2; k < argc; k++) {
        std::ifstream file(argv[k], std::ios::binary);
        Text path = argv[k], hlsl(std::istreambuf_iterator<char>(file), {});
        Text entry = hlsl.find("void main(") == Text::npos ? "main_" : "main"; // naga renames what HLSL reserves
        Text said = is_dxc ? dxc(compiler, hlsl, entry) : fxc((decltype(&D3DCompile))symbol, hlsl, entry);
        printf("%s\t%s\n", path.substr(path.find_last_of("/\\") + 1).c_str(), first_line(said).c_str());
        fflush(stdout);
    }
    fflush(stdout);
    ExitProcess(0); // The libraries' own endings are not needed.
}
