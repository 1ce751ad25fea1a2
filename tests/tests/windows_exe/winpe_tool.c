// Plays the programs of Windows PE: notes how it was called, by the name that it was called by, and leaves what they leave.

#include <windows.h>
#include <stdio.h>
#include <wchar.h>

#define OFFLINE L"media-runtime-offline"

static void set(const wchar_t *below, const wchar_t *name, const wchar_t *text)
{
    wchar_t key[256];
    swprintf(key, 256, OFFLINE L"\\%ls", below);
    RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, name, REG_SZ, text, (wcslen(text) + 1) * sizeof *text);
}

// The hives SOFTWARE and SYSTEM of a generalized Windows.
static void load(void)
{
    DWORD current = 1;
    RegSetKeyValueW(HKEY_LOCAL_MACHINE, OFFLINE L"\\Select", L"Current", REG_DWORD, &current, sizeof current);
    set(L"Microsoft\\Windows\\CurrentVersion\\Setup\\State", L"ImageState", L"IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
    set(L"Microsoft\\Windows NT\\CurrentVersion", L"ProductName", L"Windows 10 Pro");
    set(L"Microsoft\\Windows NT\\CurrentVersion", L"EditionID", L"Professional");
    set(L"Microsoft\\Windows NT\\CurrentVersion", L"CurrentBuild", L"19045");
    set(L"Microsoft\\Windows NT\\CurrentVersion", L"CurrentVersion", L"6.3");
}

static void capture(const wchar_t *path)
{
    CopyFileW(L"C:\\captured.wim", path, FALSE);
}

int wmain(int count, wchar_t **words)
{
    const wchar_t *image = L"/ImageFile:";
    FILE *file = _wfopen(L"C:\\calls.txt", L"a");
    const wchar_t *name = wcsrchr(words[0], L'\\');
    if (!file)
        return 1;
    fwprintf(file, L"%ls", name ? name + 1 : words[0]);
    for (int n = 1; n < count; n++)
        fwprintf(file, L" %ls", words[n]);
    fwprintf(file, L"\n");
    fclose(file);
    for (int n = 1; n < count; n++) {
        if (n > 2 && !wcscmp(words[2], L"/Capture-Image") && !wcsncmp(words[n], image, wcslen(image)))
            capture(words[n] + wcslen(image));
        if (!wcscmp(words[n], L"load"))
            load();
        if (!wcscmp(words[n], L"unload"))
            RegDeleteTreeW(HKEY_LOCAL_MACHINE, OFFLINE);
    }
    return 0;
}
