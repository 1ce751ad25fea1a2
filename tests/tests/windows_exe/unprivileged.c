// Starts a program without the rights of an administrator, as an ordinary command prompt does, and ends with its exit code.

#include <windows.h>
#include <wchar.h>

int wmain(int count, wchar_t **arguments) {
    wchar_t line[1024] = L"";
    for (int i = 1; i < count; i++) {
        wcscat(line, arguments[i]);
        wcscat(line, L" ");
    }
    BYTE administrators[SECURITY_MAX_SID_SIZE];
    DWORD length = sizeof administrators, code = 99;
    HANDLE token, restricted;
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    if (!CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &length))
        return 98;
    SID_AND_ATTRIBUTES disabled = {administrators, 0};
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token) ||
        !CreateRestrictedToken(token, 0, 1, &disabled, 0, NULL, 0, NULL, &restricted) ||
        !CreateProcessAsUserW(restricted, NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return 97;
    WaitForSingleObject(process.hProcess, INFINITE);
    GetExitCodeProcess(process.hProcess, &code);
    return code;
}
