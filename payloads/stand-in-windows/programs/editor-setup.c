/*
 * The setup program of an application that wants a restart: editor-setup.exe /quiet
 *
 * Installs itself as C:\Program Files\Stand-in Editor\editor.exe, needs the library's MSI to be there, and exits with 3010. It writes
 * down which start of the machine it ran in, so that a test can tell whether the restart followed.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define FOLDER L"C:\\Program Files\\Stand-in Editor"
#define LIBRARY L"C:\\Program Files\\Stand-in Library\\library.txt"
#define UNINSTALL L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Stand-in Editor"
#define LIBRARY_IS_MISSING 2

static int set(const wchar_t *name, DWORD type, const void *value, DWORD size)
{
    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, UNINSTALL, name, type, value, size);
}

int wmain(int count, wchar_t **arguments)
{
    wchar_t self[MAX_PATH];
    DWORD starts = 0, size = sizeof(starts);

    if (count != 2 || _wcsicmp(arguments[1], L"/quiet")) {
        fprintf(stderr, "usage: editor-setup /quiet\n");
        return 1;
    }
    if (GetFileAttributesW(LIBRARY) == INVALID_FILE_ATTRIBUTES) {
        fprintf(stderr, "editor-setup: the library is not installed\n");
        return LIBRARY_IS_MISSING;
    }
    RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Stand-in", L"Starts", RRF_RT_REG_DWORD, NULL, &starts, &size);
    GetModuleFileNameW(NULL, self, MAX_PATH);
    CreateDirectoryW(FOLDER, NULL);
    if (!CopyFileW(self, FOLDER L"\\editor.exe", FALSE)
        || set(L"DisplayName", REG_SZ, L"Stand-in Editor", sizeof(L"Stand-in Editor"))
        || set(L"DisplayVersion", REG_SZ, L"1.0", sizeof(L"1.0"))
        || set(L"InstalledInStart", REG_DWORD, &starts, sizeof(starts))) {
        fprintf(stderr, "editor-setup: error %lu\n", GetLastError());
        return 1;
    }
    return ERROR_SUCCESS_REBOOT_REQUIRED;
}
