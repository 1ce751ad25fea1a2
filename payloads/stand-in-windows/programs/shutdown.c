/*
 * shutdown.exe of the stand-in: /r restarts, /s and /p switch off, /a takes that back; /t, /f, /c and /d are accepted.
 *
 * Wine's sessions do not end by ExitWindowsEx. So this asks the stand-in's first process, by a file outside of the drives,
 * and returns at once, as that of Windows does.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define REQUEST L"\\\\?\\unix\\run\\stand-in\\shutdown"

static int ask(const char *what)
{
    DWORD written;
    HANDLE file = CreateFileW(REQUEST, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);

    if (file == INVALID_HANDLE_VALUE || !WriteFile(file, what, strlen(what), &written, NULL)) {
        fprintf(stderr, "shutdown: the stand-in cannot be asked: error %lu\n", GetLastError());
        return 1;
    }
    CloseHandle(file);
    return 0;
}

int wmain(int count, wchar_t **arguments)
{
    const char *what = NULL;

    for (int i = 1; i < count; i++) {
        const wchar_t *option = arguments[i];
        if (option[0] != L'/' && option[0] != L'-')
            continue; /* the value of the option before it */
        if (!_wcsicmp(option + 1, L"r") || !_wcsicmp(option + 1, L"g"))
            what = "restart\n";
        else if (!_wcsicmp(option + 1, L"s") || !_wcsicmp(option + 1, L"p"))
            what = "off\n";
        else if (!_wcsicmp(option + 1, L"a"))
            return !DeleteFileW(REQUEST);
    }
    if (!what) {
        fprintf(stderr, "usage: shutdown /r | /s | /p | /a [/t SECONDS] [/f] [/c TEXT] [/d REASON]\n");
        return 1;
    }
    return ask(what);
}
