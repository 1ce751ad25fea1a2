/*
 * sysprep.exe of the stand-in. It leaves in the registry and on the disk what that of Windows leaves, as far as others look at
 * it: the image state, the state of set-up, setupact.log, and the answer file for the next start.
 *
 * HKLM\SOFTWARE\Stand-in, Sysprep, makes it misbehave: `no-state` exits with 0 and changes nothing (as sysprep does with an app
 * that is installed for one user only), `never-ends` waits for ever.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define FOLDER L"C:\\Windows\\System32\\Sysprep\\"
#define RESEALED L"IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"

static void note(const wchar_t *file, const char *kind, const char *text)
{
    SYSTEMTIME now;
    FILE *log = _wfopen(file, L"ab");

    if (!log)
        return;
    GetLocalTime(&now);
    fprintf(log, "%04u-%02u-%02u %02u:%02u:%02u, %-22s SYSPRP %s\r\n", now.wYear, now.wMonth, now.wDay, now.wHour, now.wMinute,
            now.wSecond, kind, text);
    fclose(log);
}

static void say(const char *text)
{
    note(FOLDER L"Panther\\setupact.log", "Info", text);
}

static void complain(const char *text)
{
    note(FOLDER L"Panther\\setupact.log", "Error", text);
    note(FOLDER L"Panther\\setuperr.log", "Error", text);
}

static int set_number(const wchar_t *key, const wchar_t *name, DWORD value)
{
    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, name, REG_DWORD, &value, sizeof(value));
}

static int set_text(const wchar_t *key, const wchar_t *name, const wchar_t *value)
{
    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, name, REG_SZ, value, (wcslen(value) + 1) * sizeof(*value));
}

static void misbehave(void)
{
    wchar_t how[32] = L"";
    DWORD size = sizeof(how);

    RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Stand-in", L"Sysprep", RRF_RT_REG_SZ, NULL, how, &size);
    if (!_wcsicmp(how, L"never-ends"))
        Sleep(INFINITE);
    if (!_wcsicmp(how, L"no-state")) {
        complain("0x0f0073 Package Contoso.Notes_1.0.0.0_x64__8wekyb3d8bbwe was installed for a user, but not provisioned "
                 "for all users. This package will not function properly in the sysprep image.");
        complain("0x0f0070 Failed to remove apps for the current user: 0x80073cf2.");
        ExitProcess(0);
    }
}

/* The next start of Windows is its first: set-up runs, in its out-of-box phase. */
static int generalize(void)
{
    return set_text(L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State", L"ImageState", RESEALED)
        || set_number(L"SYSTEM\\Setup\\Status\\SysprepStatus", L"GeneralizationState", 7)
        || set_number(L"SYSTEM\\Setup\\Status\\SysprepStatus", L"CleanupState", 2)
        || set_text(L"SYSTEM\\Setup", L"CmdLine", L"oobe\\windeploy.exe")
        || set_number(L"SYSTEM\\Setup", L"SystemSetupInProgress", 1)
        || set_number(L"SYSTEM\\Setup", L"OOBEInProgress", 1)
        || set_number(L"SYSTEM\\Setup", L"SetupType", 2);
}

static int shut_down(wchar_t *command)
{
    STARTUPINFOW start = {.cb = sizeof(start)};
    PROCESS_INFORMATION process;

    return !CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &process);
}

int wmain(int count, wchar_t **arguments)
{
    int reseal = 0, restart = 0, off = 0;
    const wchar_t *answers = NULL;

    for (int i = 1; i < count; i++) {
        const wchar_t *option = arguments[i] + 1;
        reseal |= !_wcsicmp(option, L"generalize");
        restart |= !_wcsicmp(option, L"reboot");
        off |= !_wcsicmp(option, L"shutdown");
        if (!_wcsnicmp(option, L"unattend:", 9))
            answers = option + 9;
    }
    CreateDirectoryW(FOLDER L"Panther", NULL);
    say("========================================================");
    say("=== Beginning of a new sysprep run                   ===");
    say("========================================================");
    misbehave();
    if (!reseal || generalize()) {
        complain("Only /generalize is what the stand-in does, and the registry must be writable.");
        return 1;
    }
    if (answers && !CopyFileW(answers, L"C:\\Windows\\Panther\\unattend.xml", FALSE)) {
        complain("The answer file cannot be copied.");
        return 1;
    }
    fclose(_wfopen(FOLDER L"Sysprep_succeeded.tag", L"wb"));
    say("SYSPRP Sysprep completed the generalize phase; the image state is IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE.");
    if (restart)
        return shut_down((wchar_t[]){L"shutdown.exe /r /t 0"});
    return off ? shut_down((wchar_t[]){L"shutdown.exe /s /t 0"}) : 0;
}
