/*
 * netapi32.dll of a member of the domain corp.example, as far as the runtime calls it: Wine's own knows workgroups only.
 */
#include <windows.h>
#include <lm.h>

static const wchar_t DOMAIN_NAME[] = L"corp.example";

__declspec(dllexport) NET_API_STATUS WINAPI NetGetJoinInformation(LPCWSTR server, LPWSTR *name, PNETSETUP_JOIN_STATUS status)
{
    (void)server;
    *name = HeapAlloc(GetProcessHeap(), 0, sizeof(DOMAIN_NAME));
    if (!*name)
        return ERROR_NOT_ENOUGH_MEMORY;
    CopyMemory(*name, DOMAIN_NAME, sizeof(DOMAIN_NAME));
    *status = NetSetupDomainName;
    return NERR_Success;
}

__declspec(dllexport) NET_API_STATUS WINAPI NetApiBufferFree(LPVOID buffer)
{
    return HeapFree(GetProcessHeap(), 0, buffer) ? NERR_Success : ERROR_INVALID_PARAMETER;
}
