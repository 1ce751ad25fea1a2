/*
 * winlogon.exe of the stand-in: the process that a start of Windows is for. It runs set-up where the registry says so, as
 * windeploy.exe does, logs an administrator on, and stays: Wine ends the services with the last process of a user.
 *
 * Set-up: the commands of the specialize pass (the stand-in's first process has taken them from the answer file),
 * SetupComplete.cmd, the state of set-up and of the image. With a product key in the answer file SetupComplete.cmd is not run, as
 * Windows does with that of a retail or OEM edition.
 *
 * At a logon the commands of HKLM's Run are started. What they say is on the stand-in's serial port.
 */
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#define COMMANDS L"\\\\?\\unix\\run\\stand-in\\commands"
#define PRODUCT_KEY L"\\\\?\\unix\\run\\stand-in\\product-key"
#define SETUP_COMPLETE L"C:\\Windows\\Setup\\Scripts\\SetupComplete.cmd"
#define LOGON L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
#define RUN_SETUP 2

static void run(wchar_t *command)
{
    STARTUPINFOW start = {.cb = sizeof(start), .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process;
    DWORD status = 0;

    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, L"C:\\Windows\\System32", &start, &process)) {
        printf("error %lu: %ls\n", GetLastError(), command);
    } else {
        WaitForSingleObject(process.hProcess, INFINITE);
        GetExitCodeProcess(process.hProcess, &status);
        printf("exit status %lu: %ls\n", status, command);
    }
    fflush(stdout);
}

static void specialize(void)
{
    char line[4096];
    wchar_t command[4096];
    FILE *commands = _wfopen(COMMANDS, L"r");

    while (commands && fgets(line, sizeof(line), commands)) {
        line[strcspn(line, "\r\n")] = 0;
        MultiByteToWideChar(CP_UTF8, 0, line, -1, command, 4096);
        run(command);
    }
    if (commands)
        fclose(commands);
}

static int has_product_key(void)
{
    FILE *file = _wfopen(PRODUCT_KEY, L"r");
    int has = file && fgetc(file) != EOF;

    if (file)
        fclose(file);
    return has;
}

static void complete_script(void)
{
    if (GetFileAttributesW(SETUP_COMPLETE) == INVALID_FILE_ATTRIBUTES)
        return;
    if (has_product_key()) {
        printf("SetupComplete.cmd is not run: there is a product key\n");
        fflush(stdout);
    } else {
        run((wchar_t[]){L"cmd.exe /c " SETUP_COMPLETE});
    }
}

static int set(const wchar_t *key, const wchar_t *name, DWORD type, const void *value, DWORD size)
{
    return RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, name, type, value, size);
}

static int complete(void)
{
    const wchar_t *numbers[] = {L"SystemSetupInProgress", L"OOBEInProgress", L"SetupType"};
    const wchar_t state[] = L"IMAGE_STATE_COMPLETE";
    DWORD zero = 0;
    int failed = set(L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State", L"ImageState", REG_SZ, state, sizeof(state));

    failed |= set(L"SYSTEM\\Setup", L"CmdLine", REG_SZ, L"", sizeof(L""));
    for (int i = 0; i < 3; i++)
        failed |= set(L"SYSTEM\\Setup", numbers[i], REG_DWORD, &zero, sizeof(zero));
    return failed;
}

/* RunOnce is Wine's own: its wineboot has run it before this program. */
static void log_on(void)
{
    wchar_t name[256], command[4096];
    DWORD name_length = 256, length = sizeof(command) - sizeof(*command);
    HKEY key;

    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, LOGON, 0, KEY_READ, &key))
        return;
    for (DWORD number = 0; !RegEnumValueW(key, number, name, &name_length, NULL, NULL, (BYTE *)command, &length); number++) {
        command[length / sizeof(*command)] = 0;
        printf("an administrator has logged on: %ls\n", command);
        fflush(stdout);
        run(command);
        name_length = 256;
        length = sizeof(command) - sizeof(*command);
    }
    RegCloseKey(key);
}

int wmain(void)
{
    DWORD type = 0, size = sizeof(type);

    RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\Setup", L"SetupType", RRF_RT_REG_DWORD, NULL, &type, &size);
    printf("the session has begun, set-up: %lu\n", type);
    fflush(stdout);
    if (type == RUN_SETUP) {
        specialize();
        printf("set-up comes to its end\n");
        fflush(stdout);
        complete_script();
        if (complete())
            printf("the state of set-up cannot be written\n");
        printf("set-up is over\n");
        fflush(stdout);
    }
    log_on();
    Sleep(INFINITE);
    return 0;
}
