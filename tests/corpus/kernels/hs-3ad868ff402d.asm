mov(8)          g2<1>UW         0x76543210UV                    { align1 1Q };
mov(8)          g5<1>UD         g2<8,8,1>UW                     { align1 1Q };
cmp.l.f0.0(8)   null<1>UD       g5<8,8,1>UD     0x00000003UD    { align1 1Q compacted };
(+f0.0) if(8)   JIP:  LABEL0          UIP:  LABEL0              { align1 1Q };
send(8)         g6<1>UW         g1<0,1,0>UD     0x02480018
                            urb MsgDesc: offset 1 SIMD8 read  mlen 1 rlen 4 { align1 1Q };
mov(8)          g4<1>UD         g0<0,1,0>UD                     { align1 WE_all 1Q compacted };
sends(8)        nullUD          g4UD            g6UD            0x040a0027                0x00000100
                            urb MsgDesc: offset 2 SIMD8 write per-slot  mlen 2 ex_mlen 4 rlen 0 { align1 1Q };
mov(8)          g10<1>D         1084227584D                     { align1 1Q };
mov(8)          g11<1>D         1082130432D                     { align1 1Q };
mov(8)          g12<1>D         1077936128D                     { align1 1Q };
mov(8)          g7<1>UD         g0<0,1,0>UD                     { align1 WE_all 1Q compacted };
mov(8)          g8<1>UD         0x000e0000UD                    { align1 WE_all 1Q };
sends(8)        nullUD          g7UD            g9UD            0x04088017                0x00000100
                            urb MsgDesc: offset 1 SIMD8 write masked  mlen 2 ex_mlen 4 rlen 0 { align1 1Q };
mov(8)          g12<1>D         1077936128D                     { align1 1Q };
mov(8)          g10<1>UD        g0<0,1,0>UD                     { align1 WE_all 1Q compacted };
mov(8)          g11<1>UD        0x00010000UD                    { align1 WE_all 1Q };
sends(8)        nullUD          g10UD           g12UD           0x04088017                0x00000040
                            urb MsgDesc: offset 1 SIMD8 write masked  mlen 2 ex_mlen 1 rlen 0 { align1 1Q };

LABEL0:
endif(8)        JIP:  LABEL1                                    { align1 1Q };

LABEL1:
mov(8)          g124<1>UD       0x00000000UD                    { align1 1Q compacted };
mov(8)          g125<1>UD       g0<0,1,0>UD                     { align1 WE_all 1Q compacted };
mov(8)          g126<1>UD       0x00010000UD                    { align1 WE_all 1Q };
sends(8)        nullUD          g125UD          g124UD          0x04088007                0x00000040
                            urb MsgDesc: offset 0 SIMD8 write masked  mlen 2 ex_mlen 1 rlen 0 { align1 1Q EOT };
