#include <stdio.h>

int main(void)
{
	puts("sandlock");
	return 0;
}
