/*
 * dism.exe and wusa.exe of the stand-in: dism.exe /Online /Add-Package /PackagePath:FILE …, wusa.exe FILE …
 *
 * "Installs" an update: its file goes to \Windows\servicing\Packages, and HKLM\SOFTWARE\Stand-in\Updates gets its name with the
 * place that it has in the order. One that is there already ends as those of Windows do, and an MSU asks for a restart.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define UPDATES L"SOFTWARE\\Stand-in\\Updates"
#define PACKAGES L"C:\\Windows\\servicing\\Packages\\"
#define PACKAGE_PATH L"/PackagePath:"
/* WU_S_ALREADY_INSTALLED */
#define KNOWN 0x240006

static const wchar_t *update(int count, wchar_t **arguments)
{
    for (int i = 1; i < count; i++) {
        const wchar_t *end = arguments[i] + wcslen(arguments[i]);
        if (!_wcsnicmp(arguments[i], PACKAGE_PATH, wcslen(PACKAGE_PATH)))
            return arguments[i] + wcslen(PACKAGE_PATH);
        if (end - arguments[i] > 4 && !_wcsicmp(end - 4, L".msu"))
            return arguments[i];
    }
    return NULL;
}

static const wchar_t *name_of(const wchar_t *path)
{
    const wchar_t *name = path;

    for (; *path; path++)
        if (*path == L'\\' || *path == L'/')
            name = path + 1;
    return name;
}

int wmain(int count, wchar_t **arguments)
{
    wchar_t target[MAX_PATH] = PACKAGES;
    const wchar_t *path = update(count, arguments), *name;
    DWORD known = 0;
    HKEY key;

    if (!path) {
        fprintf(stderr, "usage: dism /Online /Add-Package /PackagePath:FILE | wusa FILE.msu\n");
        return ERROR_INVALID_PARAMETER;
    }
    name = name_of(path);
    if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, UPDATES, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL))
        return ERROR_ACCESS_DENIED;
    if (!RegQueryValueExW(key, name, NULL, NULL, NULL, NULL))
        return KNOWN;
    CreateDirectoryW(L"C:\\Windows\\servicing", NULL);
    CreateDirectoryW(PACKAGES, NULL);
    if (!CopyFileW(path, lstrcatW(target, name), FALSE)) {
        fprintf(stderr, "servicing: %ls: error %lu\n", path, GetLastError());
        return GetLastError();
    }
    RegQueryInfoKeyW(key, NULL, NULL, NULL, NULL, NULL, NULL, &known, NULL, NULL, NULL, NULL);
    known++;
    if (RegSetValueExW(key, name, 0, REG_DWORD, (const BYTE *)&known, sizeof(known)))
        return ERROR_ACCESS_DENIED;
    return _wcsicmp(name + wcslen(name) - 4, L".msu") ? ERROR_SUCCESS : ERROR_SUCCESS_REBOOT_REQUIRED;
}
