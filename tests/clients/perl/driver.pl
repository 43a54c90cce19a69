# Does what it is told with Cache::Memcached::Fast: a line [METHOD, ARGUMENT...] in JSON, a line [ERROR, RESULT] back.
# "void METHOD" calls it in void context; an argument {"many": [TEXT, TIMES]} is a long text.
#
# usage: perl driver.pl SERVERS OPTIONS    both in JSON
use strict;
use warnings;

use Cache::Memcached::Fast;
use JSON::PP;

my $json = JSON::PP->new->latin1->allow_nonref;
my ($servers, $options) = map { $json->decode($_) } @ARGV;
my $client = Cache::Memcached::Fast->new({ servers => $servers, %$options });

$| = 1;
while (my $line = <STDIN>) {
    my ($method, @arguments) = @{ $json->decode($line) };
    for my $argument (@arguments) {
        if (ref $argument eq 'HASH' && exists $argument->{many}) {
            my ($text, $times) = @{ $argument->{many} };
            $argument = $text x $times;
        }
    }
    my $in_void = $method =~ s/^void //;
    my $result;
    if ($in_void) {
        $client->$method(@arguments);
    } else {
        $result = $client->$method(@arguments);
    }
    print $json->encode([undef, $result]), "\n";
}
