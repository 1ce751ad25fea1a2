// Plays Windows' shutdown.exe: notes what it was told, and leaves the restart to the test.
#include <stdio.h>

int wmain(int count, wchar_t **words)
{
    FILE *file = _wfopen(L"C:\\shutdown.txt.new", L"w");
    if (!file)
        return 1;
    for (int n = 1; n < count; n++)
        fwprintf(file, L"%ls ", words[n]);
    fclose(file);
    return _wrename(L"C:\\shutdown.txt.new", L"C:\\shutdown.txt");
}
