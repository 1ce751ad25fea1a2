/*
 * powershell.exe of a Windows where one user has installed an app: who compares the packages of all users with the provisioned ones, in
 * a script on the standard input, is told its name. Wine's own starts nothing.
 */
#include <stdio.h>
#include <string.h>

int wmain(void)
{
    char script[8192];
    size_t length = fread(script, 1, sizeof(script) - 1, stdin);

    script[length] = 0;
    if (strstr(script, "Get-AppxPackage -AllUsers") && strstr(script, "Get-AppxProvisionedPackage -Online"))
        puts("Contoso.Notes_1.0.0.0_x64__8wekyb3d8bbwe\r\nlisted");
    return 0;
}
