/*
 * netapi32.dll beside the runtime that also plays who may log on: Wine's LogonUserW takes every name and password, and gives a
 * token that nothing can be started with. This one knows one password, and gives the token of the program itself; it writes
 * down whom it was asked for.
 */
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include "netapi32.c"

static BOOL WINAPI log_on(LPCWSTR user, LPCWSTR domain, LPCWSTR password, DWORD kind, DWORD provider, PHANDLE token)
{
    FILE *calls = fopen("C:\\logons.txt", "a");
    (void)provider;
    if (calls) {
        fprintf(calls, "%ls %ls %lu\n", domain ? domain : L"(none)", user, kind);
        fclose(calls);
    }
    if (wcscmp(password, L"Canary-4711")) {
        SetLastError(ERROR_LOGON_FAILURE);
        return FALSE;
    }
    if (!wcscmp(user, L"planner") && kind == LOGON32_LOGON_INTERACTIVE) {
        SetLastError(ERROR_LOGON_TYPE_NOT_GRANTED);
        return FALSE;
    }
    return OpenProcessToken(GetCurrentProcess(), MAXIMUM_ALLOWED, token);
}

/* Puts it where the program has the address of LogonUserW. */
BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved)
{
    BYTE *base = (BYTE *)GetModuleHandleW(NULL);
    IMAGE_NT_HEADERS *headers = (IMAGE_NT_HEADERS *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
    DWORD at = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    (void)self;
    (void)reserved;
    if (reason != DLL_PROCESS_ATTACH)
        return TRUE;
    for (IMAGE_IMPORT_DESCRIPTOR *dll = (IMAGE_IMPORT_DESCRIPTOR *)(base + at); dll->Name; dll++) {
        IMAGE_THUNK_DATA *name = (IMAGE_THUNK_DATA *)(base + dll->OriginalFirstThunk);
        IMAGE_THUNK_DATA *address = (IMAGE_THUNK_DATA *)(base + dll->FirstThunk);
        for (; name->u1.AddressOfData; name++, address++) {
            DWORD before;
            if (IMAGE_SNAP_BY_ORDINAL(name->u1.Ordinal) ||
                strcmp(((IMAGE_IMPORT_BY_NAME *)(base + name->u1.AddressOfData))->Name, "LogonUserW"))
                continue;
            VirtualProtect(address, sizeof *address, PAGE_READWRITE, &before);
            address->u1.Function = (ULONGLONG)log_on;
            VirtualProtect(address, sizeof *address, before, &before);
        }
    }
    return TRUE;
}
